"""The alerts of the page: drifted columns, worse quality, faults of the monitor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.outcomes.quality import QUALITY

from . import formatting
from .document import cut_name, name_of, table_head, warning_mark
from .help import help_links
from .html import Child, Html, element, text
from .labels import FAULTS, QUALITIES, Label, score_label
from .links import Context
from .outcome_view import ALL, Coverage, Segment, VersionOutcomes
from .view import ColumnView, Fault, ModelView, View, worst_window

SHOWN = 10
"""Lines of worse qualities; drifted columns get twice as many."""


ON_PHONES = 5
"""Drifted columns that a narrow page names: the model's section has the others."""
DRIFTS = {
    "feature": "MlmonFeatureDrift",
    "output": "MlmonPredictionDrift",
    "derived": "MlmonJointDrift",
}
"""Side of a column -> the alert whose runbook says what to do."""
RUNBOOKS = {
    "missing_ratio": "MlmonMissingValues",
    "unseen_ratio": "MlmonUnseenCategory",
    "mlmon_dropped_total": "MlmonObservationsDropped",
    "mlmon_parse_errors_total": "MlmonParseErrors",
    "mlmon_internal_errors_total": "MlmonInternalErrors",
    "mlmon_state_write_failures_total": "MlmonStateNotWritten",
}
"""Score or counter -> the alert whose runbook says what to do."""
TOLD_APART = (
    "What this server finds itself. Alertmanager sends alerts by other rules: over all replicas, "
    "once they have held for some minutes, grouped, and not while silenced."
)


def alerts_section(view: View, context: Context) -> Html | None:
    """Return the section of current alerts, None without any."""
    drifted, faults, worse = view.drifted, view.firing_faults, quality_alerts(view, view.models)
    if not drifted and not faults and not worse and not view.trouble:
        return None
    named = [*_named(drifted)]
    shown = [_drifted_row(column, context, i) for i, column in enumerate(named[: 2 * SHOWN])]
    more = len(named) - len(shown)
    head = table_head("Drifted", "wide:Model", "wide:In windows", "Score", "n:Value", "n:Threshold")
    return element(
        "section",
        element("h2", "Verdicts now"),
        element("p", TOLD_APART, class_="soft wide"),
        trouble_line(view),
        element("table", head, element("tbody", shown), class_="firing") if shown else None,
        element("p", f"and {formatting.counted(more, 'column')} more", class_="soft")
        if more > 0
        else None,
        _worse_list(worse),
        fault_list(faults),
        help_links(context.links, [*_runbooks(view, is_worse=bool(worse))]),
        class_="firing",
        aria_label="Verdicts now",
    )


def _runbooks(view: View, *, is_worse: bool) -> Iterator[str]:
    """Give the alerts whose runbooks say what to do about what is shown, with repetitions."""
    for column in view.drifted:
        drift = DRIFTS[column.side]
        tests = {column.verdict(window).test for window in column.drifted_windows()}
        yield from (RUNBOOKS.get(TESTS[test].score, drift) for test in sorted(tests))
    if is_worse:
        yield "MlmonQualityDrop"
    if view.trouble:
        yield "MlmonStateNotWritten"
    yield from (RUNBOOKS[f.counter] for f in view.firing_faults if f.counter in RUNBOOKS)


def trouble_line(view: View) -> Html | None:
    """Return the line that says that the state is not written, None if it is."""
    if not view.trouble:
        return None
    return element("p", warning_mark(True, "fault"), element("b", "State"), f" {view.trouble}.")


def _named(drifted: Sequence[ColumnView]) -> Iterator[ColumnView]:
    """Give columns, of those that are derived the worst of each model: they drift together."""
    joint = set[str]()
    for column in drifted:
        if not column.is_derived:
            yield column
        elif column.model not in joint:
            joint.add(column.model)
            yield column


def _drifted_row(column: ColumnView, context: Context, place: int) -> Html:
    windows = column.drifted_windows()
    window = worst_window(column)
    worst, moved = column.verdict(window), column.moved(window)
    score = TESTS[worst.test].score
    link = context.links.column(column, context.window)
    return element(
        "tr",
        element(
            "th",
            cut_name(column.name, link),
            element("small", str(moved), class_="wide") if moved else None,
            scope="row",
        ),
        element("td", cut_name(column.model), class_="wide"),
        element("td", ", ".join(windows), class_="wide"),
        element("td", score_label(score).title),
        element("td", warning_mark(True), formatting.score(score, worst.value), class_="n value"),
        element("td", formatting.score(score, worst.threshold), class_="n"),
        class_="over" if place < ON_PHONES else "over wide",
    )


def _worse_list(items: Sequence[Html]) -> Html | None:
    more = len(items) - SHOWN
    rest = element("li", f"and {formatting.count(more)} more", class_="soft") if more > 0 else None
    return element("ul", items[:SHOWN], rest, class_="faults") if items else None


def fault_list(faults: Iterable[Fault]) -> Html | None:
    """Return the list of the monitor's faults, None without any."""
    items = [_fault_item(fault, FAULTS[fault.counter]) for fault in faults]
    return element("ul", items, class_="faults") if items else None


def _fault_item(fault: Fault, label: Label) -> Html:
    is_recent = fault.risen > 0
    count = formatting.count(fault.risen if is_recent else fault.total)
    meaning = element("small", f"({label.meaning})")
    title = element("b", label.title)
    return element(
        "li", warning_mark(is_recent, "fault"), title, f" {count}: {fault.labels} ", meaning
    )


def quality_alerts(view: View, models: Iterable[ModelView]) -> list[Html]:
    """Return list items: concept drift and worse qualities of models in any window."""
    items: list[Html] = []
    for model in models:
        several = len(model.outcomes.versions) > 1
        for version in model.outcomes.versions:
            named = (" ", name_of(version.version)) if several else None
            subject = text(name_of(model.name), named)
            drifted = [w for w in view.windows if version.concept(w).is_drifted]
            if drifted:
                items.append(_alert("Concept drift", subject, f" in {' and '.join(drifted)}"))
            items += _worse(version, view.windows, subject)
    return items


def _worse(version: VersionOutcomes, windows: Sequence[str], subject: Html) -> Iterator[Html]:
    found: dict[tuple[Segment, str], list[str]] = {}
    for window, segment, quality in version.worse(windows):
        side = "under" if QUALITY[quality.name].sign > 0 else "over"
        numbers = (
            f"{formatting.number(quality.value)} {side} {formatting.number(quality.threshold)}"
        )
        found.setdefault((segment, window), []).append(f"{QUALITIES[quality.name].title} {numbers}")
    for (segment, window), each in found.items():
        where = text(", ", name_of(f"{segment[0]} = {segment[1]}")) if segment != ALL else None
        cause = coverage_note(version.coverage(window))
        yield _alert("Quality", subject, text(where, f" in {window}: {', '.join(each)}", cause))


def coverage_note(coverage: Coverage) -> Html | None:
    """Return what coverage has to do with a worse quality, None where nothing."""
    if not coverage.is_uneven and not coverage.is_low:
        return None
    all_rows = f"round truth has come for {formatting.percent(coverage.all_rows)} of predictions"
    if not coverage.is_uneven:
        return element("small", f" G{all_rows}.")
    order = sorted(coverage.by_class.items(), key=lambda item: -item[1])[:SHOWN]
    each = [
        text(", " if i else ": ", formatting.percent(share), " of ", name_of(name))
        for i, (name, share) in enumerate(order)
    ]
    return element("small", f" Likely cause: g{all_rows}", each, ".")


def _alert(title: str, subject: Child, rest: Child) -> Html:
    return element("li", warning_mark(True, "worse"), element("b", title), " of ", subject, rest)
