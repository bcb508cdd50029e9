"""The first page: what is firing, then each model's requests and its columns, most drifted first.

What another part of the monitor can say of a model is a row of `MODEL_PARTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from . import figures
from .document import key, mark, name_of, tiles, window_choice
from .fairness_part import fairness_part, kpi_part, kpis
from .firing import alarms, fault_list, firing
from .html import Child, Html, element, text
from .outcomes import ModelOutcomes
from .quality_part import quality_part
from .ranking import Place, ranked_table
from .traffic import Requests
from .view import ColumnView, ModelView, VersionView, View, ranked
from .words import GROUND_TRUTHS

SHOWN = 10
"""Columns of a model on the first page; all that drifted, up to three times as many."""


def verdict(view: View, models: Sequence[ModelView], place: Place) -> Html:
    """Return the answer to whether something is wrong, in a line, and how much was looked at."""
    columns = [column for model in models for column in model.columns]
    drifted = [column for column in columns if column.drifted_windows()]
    scored = [c for c in columns if any(c.verdict(w).test for w in c.summaries)]
    is_worse = bool(alarms(view, models))
    if drifted:
        all_ = figures.counted(len(columns), "column")
        also = ", and quality is worse" if is_worse else ""
        line: Child = text(mark(True), f"{figures.count(len(drifted))} of {all_} drifted{also}")
    elif is_worse:
        line = text(mark(True, "worse"), "Quality is worse than chance explains")
    elif scored:
        line = "Nothing has drifted"
    else:
        line = "Nothing to compare yet"
    is_one = len(models) == 1 and len(view.models) > 1
    addresses = [
        place.links.model(models[0].name, w) if is_one else place.links.overview(w)
        for w in view.windows
    ]
    return element(
        "div",
        element(
            "div",
            element("h1", line),
            window_choice(view.windows, place.window, addresses),
            class_="bar",
        ),
        element("p", _looked_at(models, columns, scored)),
        class_="verdict",
    )


def _looked_at(
    models: Sequence[ModelView], columns: Sequence[ColumnView], scored: Sequence[ColumnView]
) -> str:
    outputs = sum(column.side == "output" for column in columns)
    features = figures.counted(len(columns) - outputs, "feature")
    said = f"{features} and {figures.counted(outputs, 'output')}"
    if len(models) > 1:
        said += f" of {figures.counted(len(models), 'model')}"
    if len(scored) < len(columns):
        waiting = len(columns) - len(scored)
        said += f"; {figures.counted(waiting, 'column')} with too few rows to say"
    return f"{said}."


def model_section(model: ModelView, place: Place, anchor: str, shown: int | None = None) -> Html:
    """Return what there is of a model.

    Args:
        model: The model.
        place: How it is looked at.
        anchor: The id of the section.
        shown: How many columns of a version are shown; all by default.
    """
    parts = [part(model, place, shown) for part in MODEL_PARTS]
    link = place.links.model(model.name)
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
        said.append(f"learning its reference: {figures.counted(model.reference_rows, 'row')}")
    else:
        said.append(f"reference {model.reference}")
        said.append(figures.counted(model.reference_rows, "row"))
        said.append(f"of {figures.moment(model.reference_time)[:10]}")
    return " · ".join(said)


def _numbers(model: ModelView, place: Place, _shown: int | None) -> Html:
    rows = sum(version.rows(place.window) for version in model.versions)
    columns = list(model.columns)
    drifted = sum(bool(column.verdict(place.window).is_drifted) for column in columns)
    entries: list[tuple[str, Child]] = [
        *_requests(model.requests),
        (f"Rows in {place.window or 'window'}", figures.count(rows)),
        (
            f"Drifted in {place.window or 'window'}",
            text(mark(drifted > 0), f"{figures.count(drifted)} of {len(columns)}"),
        ),
    ]
    return tiles(entries)


def _requests(requests: Requests | None) -> Iterator[tuple[str, Child]]:
    if requests is None:
        return
    if math.isnan(requests.seconds):
        yield "Requests since the start", figures.count(requests.total)
    else:
        rate = figures.figure(requests.total / requests.seconds)
        yield f"Requests, last {figures.span(requests.seconds)}", text(rate, " /s")
    ratio, failed = requests.error_ratio(), requests.server_errors > 0
    yield "Server errors", text(mark(failed, "failed"), figures.percent(ratio))
    middle, high = (figures.seconds(requests.quantile(q)) for q in (0.5, 0.95))
    yield "Latency, median", middle
    yield "Latency, 95 %", high


def _versions(model: ModelView, place: Place, shown: int | None) -> Iterator[Html]:
    for version in model.versions:
        if len(model.versions) > 1:
            rows = figures.counted(version.rows(place.window), "row")
            yield element(
                "h3", "Version ", name_of(version.version), element("small", f" · {rows}")
            )
        yield from _version(version, place, shown)
    more = None
    if shown is not None and any(len(v.features) > shown for v in model.versions):
        every = figures.counted(max(len(v.features) for v in model.versions), "feature")
        link = place.links.model(model.name)
        more = element("p", element("a", f"All {every} of ", name_of(model.name), href=link))
    if any(version.columns for version in model.versions):
        yield element("div", more, key(), class_="bar below")


def _version(version: VersionView, place: Place, shown: int | None) -> Iterator[Html]:
    for title, columns in (("Outputs", version.outputs), ("Features", version.features)):
        if columns:
            order = ranked(columns, place.window)
            if shown is not None:
                drifted = sum(bool(c.verdict(place.window).is_drifted) for c in order)
                order = order[: max(shown, min(drifted, 3 * shown))]
            yield ranked_table(title, order, place)


Part = Callable[[ModelView, Place, int | None], Child]
MODEL_PARTS: tuple[Part, ...] = (_numbers, quality_part, fairness_part, kpi_part, _versions)
"""What there is to say of a model, in this order; None where there is nothing."""


def feedback_section(view: View) -> Html | None:
    """Return what came back and belongs to no model; None without any."""
    nobody = ModelOutcomes(view.numbers, "", "")
    counts = [(GROUND_TRUTHS[s], figures.count(n)) for s, n in nobody.statuses.items() if n]
    if not counts and not nobody.kpis:
        return None
    said = "Ground truths whose prediction is not known, and what was not one, since the start."
    return element(
        "section",
        element("h2", "Of no model"),
        (element("p", said, class_="soft"), tiles(counts)) if counts else None,
        kpis(nobody.kpis),
        id="feedback",
    )


def monitor_section(view: View) -> Html | None:
    """Return what the monitor has to say of itself; None where all is well."""
    faults = fault_list(view.faults)
    apart = len(view.build) == 3 and view.build[2] == "unshared"
    if faults is None and not apart:
        return None
    warning = element(
        "p",
        mark(True, "fault"),
        "Several workers count each for itself, and this page shows one of them: set state_dir.",
    )
    return element(
        "section",
        element("h2", "The monitor itself, since the start"),
        warning if apart else None,
        faults,
        id="monitor",
    )


def footer(view: View) -> Html:
    """Return what the numbers mean."""
    build = f"mlmon-exporter {view.build[0]}. " if view.build else ""
    return element(
        "footer",
        element(
            "p",
            "A column has drifted when one of its scores is over its threshold, which is what "
            "unchanged traffic of as many rows stays under. Shown is the score that is farthest on "
            "its way there. Lines: each point is a twelfth of the window on its own.",
        ),
        element("p", f"{build}Times are UTC."),
    )


def first(view: View, place: Place) -> list[Child]:
    """Return the first page's body, but its header."""
    models = [
        model_section(model, place, f"model-{i}", SHOWN) for i, model in enumerate(view.models)
    ]
    return [
        verdict(view, view.models, place),
        firing(view, place),
        models,
        feedback_section(view),
        monitor_section(view),
        footer(view),
    ]


def of_model(view: View, model: ModelView, place: Place) -> list[Child]:
    """Return one model's page, but its header."""
    return [
        verdict(view, [model], place),
        model_section(model, place, "model"),
        footer(view),
    ]
