"""What is wrong now: columns that drifted, quality that is worse, faults of the monitor's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.outcomes.quality import QUALITY

from . import figures
from .document import cut_name, mark, name_of
from .html import Child, Html, element, text
from .outcomes import ALL, Slice, VersionOutcomes
from .ranking import Place, table_head
from .view import ColumnView, Fault, ModelView, View
from .words import FAULT_MEANINGS, FAULTS, QUALITIES, TITLES

SHOWN = 10
"""Lines of what is worse; of columns there are twice as many."""


def firing(view: View, place: Place) -> Html | None:
    """Return what is wrong now; None where nothing is."""
    drifted, faults, worse = view.drifted, view.firing_faults, alarms(view, view.models)
    if not drifted and not faults and not worse:
        return None
    shown = [_firing_row(column, place) for column in drifted[: 2 * SHOWN]]
    more = len(drifted) - len(shown)
    head = table_head("Drifted", "wide:Model", "wide:In windows", "Score", "n:Value", "n:Threshold")
    return element(
        "section",
        element("h2", "Firing"),
        element("table", head, element("tbody", shown), class_="firing") if shown else None,
        element("p", f"and {figures.counted(more, 'column')} more", class_="soft")
        if more > 0
        else None,
        _worse_list(worse),
        fault_list(faults),
        class_="firing",
        aria_label="Firing",
    )


def _firing_row(column: ColumnView, place: Place) -> Html:
    windows = column.drifted_windows()
    worst = max((column.verdict(window) for window in windows), key=lambda v: v.severity)
    score = TESTS[worst.test].score
    link = place.links.column(column, place.window)
    return element(
        "tr",
        element("th", cut_name(column.name, link), scope="row"),
        element("td", cut_name(column.model), class_="wide"),
        element("td", ", ".join(windows), class_="wide"),
        element("td", TITLES[score]),
        element("td", mark(True), figures.of_score(score, worst.value), class_="n value"),
        element("td", figures.of_score(score, worst.threshold), class_="n"),
        class_="over",
    )


def _worse_list(items: Sequence[Html]) -> Html | None:
    more = len(items) - SHOWN
    and_more = element("li", f"and {figures.count(more)} more", class_="soft") if more > 0 else None
    return element("ul", items[:SHOWN], and_more, class_="faults") if items else None


def fault_list(faults: Iterable[Fault]) -> Html | None:
    """Return counts of the monitor's own faults, None without any."""
    items = [
        element(
            "li",
            mark(fault.risen > 0, "fault"),
            element("b", FAULTS[fault.counter]),
            f" {figures.count(fault.risen if fault.risen > 0 else fault.total)}: {fault.labels} ",
            element("small", f"({FAULT_MEANINGS[fault.counter]})"),
        )
        for fault in faults
    ]
    return element("ul", items, class_="faults") if items else None


def alarms(view: View, models: Iterable[ModelView]) -> list[Html]:
    """Return what is wrong with qualities and errors in any window, an item of a list each."""
    items: list[Html] = []
    for model in models:
        several = len(model.outcomes.versions) > 1
        for version in model.outcomes.versions:
            named = (" ", name_of(version.version)) if several else None
            who = text(name_of(model.name), named)
            drifted = [w for w in view.windows if version.concept(w).is_drifted]
            if drifted:
                items.append(_alarm("Concept drift", who, f" in {' and '.join(drifted)}"))
            items += _worse(version, view.windows, who)
    return items


def _worse(version: VersionOutcomes, windows: Sequence[str], who: Html) -> Iterator[Html]:
    found: dict[tuple[Slice, str], list[str]] = {}
    for window, of, held in version.worse(windows):
        side = "under" if QUALITY[held.name].sign > 0 else "over"
        numbers = f"{figures.figure(held.value)} {side} {figures.figure(held.threshold)}"
        found.setdefault((of, window), []).append(f"{QUALITIES[held.name]} {numbers}")
    for (of, window), each in found.items():
        where = text(", ", name_of(f"{of[0]} = {of[1]}")) if of != ALL else None
        yield _alarm("Quality", who, text(where, f" in {window}: {', '.join(each)}"))


def _alarm(what: str, who: Child, more: Child) -> Html:
    return element("li", mark(True, "worse"), element("b", what), " of ", who, more)
