"""The first page: alerts, then each model's requests, quality and columns, most drifted first.

A further section of a model is a row of `MODEL_PARTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from mlmon_exporter.core.records import Requests

from . import formatting
from .alerts import alerts_section, fault_list, quality_alerts
from .derived import carried
from .document import legend, name_of, tiles, warning_mark, window_choice
from .fairness_section import fairness_section, kpi_section, kpi_table
from .help import TROUBLESHOOTING
from .html import Child, Html, element, text
from .labels import GROUND_TRUTHS
from .links import Context
from .outcome_view import ModelOutcomes
from .quality_section import quality_section
from .ranking import ON_PHONES, ranked_table
from .view import ColumnView, ModelView, VersionView, View, ranked, worst_impact

SHOWN = 10
"""Columns of a model on the first page; up to three times as many if they drifted."""


def verdict(view: View, models: Sequence[ModelView], context: Context) -> Html:
    """Return the verdict over models in a line, and the number of columns that it covers."""
    derived = [column for model in models for column in model.columns if column.is_derived]
    columns = [column for model in models for column in model.columns if not column.is_derived]
    drifted = [column for column in columns if column.drifted_windows()]
    joint = sum(bool(column.drifted_windows()) for column in derived)
    scored = [c for c in columns if any(c.verdict(w).test for w in c.summaries)]
    is_worse = bool(quality_alerts(view, models))
    also = ", and quality is worse" if is_worse else ""
    if drifted:
        all_ = formatting.counted(len(columns), "column")
        also = (", and how features go together" if joint else "") + also
        line: Child = text(
            warning_mark(True),
            f"{formatting.count(len(drifted))} of {all_} drifted",
            _worst(drifted, models, view.now),
            also,
        )
    elif joint:
        said = "No column alone has drifted, but how features go together has"
        line = text(warning_mark(True), said, also)
    elif is_worse:
        line = text(warning_mark(True, "worse"), "Quality is worse than chance explains")
    elif scored and view.trouble:
        line = text(warning_mark(True, "fault"), "Nothing has drifted in what was seen")
    elif scored:
        line = "Nothing has drifted"
    else:
        line = "Nothing to compare yet"
    is_model_page = len(models) == 1 and len(view.models) > 1
    addresses = [
        context.links.model(models[0].name, w) if is_model_page else context.links.overview(w)
        for w in view.windows
    ]
    return element(
        "div",
        element(
            "div",
            element("h1", line),
            window_choice(view.windows, context.window, addresses),
            class_="bar",
        ),
        element("p", _coverage(models, columns, scored)),
        class_="verdict",
    )


def _worst(drifted: Sequence[ColumnView], models: Sequence[ModelView], now: float) -> Html:
    """Name the column that drifted the most, its importance counted, and since when it has."""
    worst = max(drifted, key=worst_impact)
    of = text(" of ", name_of(worst.model)) if len(models) > 1 else None
    most = " the most" if len(drifted) > 1 else ""
    since = worst.since()
    began = "" if math.isnan(since) else f", since about {formatting.since(since, now)}"
    return text(", ", name_of(worst.name), of, most, began)


def _coverage(
    models: Sequence[ModelView], columns: Sequence[ColumnView], scored: Sequence[ColumnView]
) -> str:
    outputs = sum(column.side == "output" for column in columns)
    features = formatting.counted(len(columns) - outputs, "feature")
    said = f"{features} and {formatting.counted(outputs, 'output')}"
    if len(models) > 1:
        said += f" of {formatting.counted(len(models), 'model')}"
    if len(scored) < len(columns):
        waiting = len(columns) - len(scored)
        said += f"; {formatting.counted(waiting, 'column')} with too few rows to tell"
    return f"{said}."


def model_section(
    model: ModelView, context: Context, anchor: str, shown: int | None = None
) -> Html:
    """Return the section of a model.

    Args:
        model: The model.
        context: How it is looked at.
        anchor: The id of the section.
        shown: Number of columns shown for each version; all by default.
    """
    parts = [part(model, context, shown) for part in MODEL_PARTS]
    if shown is not None:
        parts = [
            element("div", made, class_="wide") if made and part in DETAILS else made
            for part, made in zip(MODEL_PARTS, parts, strict=True)
        ]
    link = context.links.model(model.name)
    return element(
        "section",
        element(
            "div",
            element("h2", element("a", name_of(model.name), href=link)),
            element("span", name_of(_about(model)), class_="soft"),
            class_="bar",
        ),
        parts,
        id=anchor,
    )


def _about(model: ModelView) -> str:
    only = model.versions[0].version if len(model.versions) == 1 else ""
    said = [part for part in (only and f"version {only}", model.task) if part]
    if model.reference == "learning":
        said.append(f"learning its reference: {formatting.counted(model.reference_rows, 'row')}")
    else:
        said.append(f"reference {model.reference}")
        said.append(formatting.counted(model.reference_rows, "row"))
        said.append(f"of {formatting.moment(model.reference_time)[:10]}")
    return " · ".join(said)


def _numbers(model: ModelView, context: Context, _shown: int | None) -> Html:
    rows = sum(version.rows(context.window) for version in model.versions)
    columns = [column for column in model.columns if not column.is_derived]
    drifted = sum(bool(column.verdict(context.window).is_drifted) for column in columns)
    entries: list[tuple[str, Child]] = [
        *_requests(model.requests),
        (f"Rows in {context.window or 'window'}", formatting.count(rows)),
        (
            f"Drifted in {context.window or 'window'}",
            text(warning_mark(drifted > 0), f"{formatting.count(drifted)} of {len(columns)}"),
        ),
    ]
    return tiles(entries)


def _requests(requests: Requests | None) -> Iterator[tuple[str, Child]]:
    if requests is None:
        return
    rate = formatting.number(requests.total / requests.seconds)
    minutes = 60.0 * round(requests.seconds / 60.0)
    over = formatting.span(minutes or requests.seconds)
    yield f"Requests, last {over}", text(rate, " /s")
    ratio, failed = requests.error_ratio(), requests.failures > 0
    yield "Server errors", text(warning_mark(failed, "failed"), formatting.percent(ratio))
    middle, high = (formatting.seconds(requests.quantile(q)) for q in (0.5, 0.95))
    yield "Latency, median", middle
    yield "Latency, 95 %", high


def _versions(model: ModelView, context: Context, shown: int | None) -> Iterator[Html]:
    for i, version in enumerate(model.versions):
        if len(model.versions) > 1:
            rows = formatting.counted(version.rows(context.window), "row")
            yield element(
                "h3", "Version ", name_of(version.version), element("small", f" · {rows}")
            )
        parts = [*_version(version, context, shown)]
        yield element("div", parts, class_="wide") if i and shown is not None else text(parts)
    more = None
    if shown is not None and any(len(v.features) > ON_PHONES for v in model.versions):
        every = formatting.counted(max(len(v.features) for v in model.versions), "feature")
        link = context.links.model(model.name)
        more = element("p", element("a", f"All {every} of ", name_of(model.name), href=link))
    if any(version.columns for version in model.versions):
        yield element("div", more, legend(), class_="bar below")


def _version(version: VersionView, context: Context, shown: int | None) -> Iterator[Html]:
    sides = (
        ("Outputs", version.outputs),
        ("Features", version.features),
        ("Features together", version.derived),
    )
    for title, columns in sides:
        if columns:
            order = ranked(columns, context.window)
            if shown is not None:
                drifted = sum(bool(c.verdict(context.window).is_drifted) for c in order)
                order = order[: max(shown, min(drifted, 3 * shown))]
            table = ranked_table(title, order, context, is_short=shown is not None)
            is_detail = shown is not None and columns is version.derived
            # What drifted is in the verdicts, which phones show whole.
            yield element("div", table, class_="wide") if is_detail else table
    if version.derived:
        yield from filter(None, [carried(version.derived, context.window)])


Part = Callable[[ModelView, Context, int | None], Child]
MODEL_PARTS: tuple[Part, ...] = (
    _numbers,
    quality_section,
    fairness_section,
    kpi_section,
    _versions,
)
"""Parts of a model's section, in order; each may be None."""
DETAILS: tuple[Part, ...] = (quality_section, fairness_section, kpi_section)
"""Parts that the first page leaves out on small screens: what is worse is in its verdicts."""


def feedback_section(view: View) -> Html | None:
    """Return ground truths and business numbers of no known model, None without any."""
    unassigned = ModelOutcomes(view.numbers, "", "")
    counts = [(GROUND_TRUTHS[s], formatting.count(n)) for s, n in unassigned.statuses.items() if n]
    if not counts and not unassigned.kpis:
        return None
    about = "Ground truths of unknown predictions, and invalid ones, since the start."
    return element(
        "section",
        element("h2", "Of no model"),
        (element("p", about, class_="soft"), tiles(counts)) if counts else None,
        kpi_table(unassigned.kpis),
        id="feedback",
    )


def monitor_section(view: View) -> Html | None:
    """Return faults of the monitor and a warning of unshared workers, None without any."""
    faults = fault_list(view.faults)
    is_unshared = len(view.build) == 3 and view.build[2] == "unshared"
    if faults is None and not is_unshared:
        return None
    warning = element(
        "p",
        warning_mark(True, "fault"),
        "Workers do not share their counts, and this page shows one of them: set state_dir.",
    )
    return element(
        "section",
        element("h2", "The monitor itself, since the start"),
        warning if is_unshared else None,
        faults,
        id="monitor",
    )


def footer(view: View, context: Context) -> Html:
    """Return the footnotes."""
    on = f" on {view.host}" if view.host else ""
    build = f"mlmon-exporter {view.build[0]}{on}. " if view.build else ""
    report = context.links.report()
    trouble = context.links.help(TROUBLESHOOTING)
    more = None
    if report:
        as_file = element("a", "All of it as one file", href=report)
        more = text(" ", as_file, ". ", element("a", "Troubleshooting", href=trouble), ".")
    return element(
        "footer",
        element(
            "p",
            "A column has drifted when one of its scores is over its threshold, which unchanged "
            "traffic of as many rows stays under. The score shown is the one closest to its "
            "threshold, or farthest over it. Each point of a line scores a twelfth of the window.",
            class_="wide",
        ),
        element("p", f"{build}Times are UTC.", more),
    )


def first(view: View, context: Context) -> list[Child]:
    """Return the body of the first page."""
    models = [
        model_section(model, context, f"model-{i}", SHOWN) for i, model in enumerate(view.models)
    ]
    return [
        verdict(view, view.models, context),
        alerts_section(view, context),
        models,
        feedback_section(view),
        monitor_section(view),
        footer(view, context),
    ]


def of_model(view: View, model: ModelView, context: Context) -> list[Child]:
    """Return the body of one model's page."""
    return [
        verdict(view, [model], context),
        model_section(model, context, "model"),
        footer(view, context),
    ]
