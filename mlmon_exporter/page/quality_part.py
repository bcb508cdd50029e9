"""What the page says of a model's quality: numbers, estimates, segments, versions, firing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mlmon_exporter.core.outcomes.quality import QUALITY

from . import figures
from .document import cut_name, mark, name_of, tiles
from .html import Child, Html, element, text
from .outcomes import Concept, Held, ModelOutcomes, Slice, VersionOutcomes
from .ranking import Place, table_head
from .view import ModelView
from .words import GROUND_TRUTHS, QUALITIES, QUALITY_MEANINGS

LEADING = ("accuracy", "f1", "roc_auc", "mae", "rmse", "r2")
"""Those that a table of segments has room for."""
BLIND = (
    "what the scores lead to expect, without ground truth. It is blind to concept drift: where the "
    "same inputs lead to other outcomes, it stays as it was."
)
SINCE = "since the start"


def quality_part(model: ModelView, place: Place, shown: int | None) -> Child:
    """Return quality, estimates and segments of each version; None without any."""
    outcomes = model.outcomes
    if not outcomes.versions and not any(outcomes.statuses.values()):
        return None
    several = len(outcomes.versions) > 1
    parts: list[Child] = [element("h3", "Quality"), _came_back(outcomes)]
    if several:
        parts.append(_side_by_side(outcomes, place))
    for version in outcomes.versions if not several or shown is None else ():
        title = element("h3", "Quality of version ", name_of(version.version)) if several else None
        parts += [title, *_of_version(version, place, shown)]
    return text(parts)


def _came_back(outcomes: ModelOutcomes) -> Html:
    entries: list[tuple[str, Child]] = [
        ("Wait for ground truth", figures.count(outcomes.waiting)),
    ]
    for status, count in outcomes.statuses.items():
        if count or status in ("matched", "late"):
            title = f"{GROUND_TRUTHS[status]} {SINCE}"
            entries.append((title, figures.count(count)))
    return tiles(entries)


def _of_version(version: VersionOutcomes, place: Place, shown: int | None) -> Iterator[Child]:
    if version.has_reference:
        yield element("p", _concept(version.concept(place.window), place.window))
    yield _qualities(version, place, shown)
    yield _segments(version, place, shown)


def _concept(concept: Concept, window: str) -> Html:
    if concept.is_drifted is None:
        return text("Concept drift: too few outcomes to say.")
    numbers = (
        f" The errors are {figures.figure(concept.statistic)} from the reference's (KS), "
        f"{figures.figure(concept.threshold)} is allowed in {window}."
    )
    says = "Concept has drifted." if concept.is_drifted else "No concept drift."
    shown = text(mark(concept.is_drifted), says)
    return text(element("span", shown, class_="over-text" if concept.is_drifted else None), numbers)


def _shown_names(version: VersionOutcomes, windows: Sequence[str], shown: int | None) -> list[str]:
    """Return the qualities to show: all, or on the first page those that are held to a threshold.

    Where none is, all.
    """
    held = {name: [version.held(name, w) for w in windows] for name in QUALITIES}
    known = [
        n
        for n, each in held.items()
        if any(not math.isnan(h.value) or not math.isnan(h.reference) for h in each)
    ]
    deciding = [n for n in known if QUALITY[n].error is not None]
    return deciding if shown is not None and deciding else known


def _qualities(version: VersionOutcomes, place: Place, shown: int | None) -> Html | None:
    windows = place.windows
    names = _shown_names(version, windows, shown)
    estimates = {name: version.estimate(name, place.window) for name in names}
    is_estimated = not all(map(math.isnan, estimates.values()))
    rows = []
    for name in names:
        held = [version.held(name, window) for window in windows]
        reference = _number(figures.figure(held[0].reference))
        estimate = _number(figures.figure(estimates[name])) if is_estimated else None
        rows.append(element("tr", _title(name), reference, map(_held_cell, held), estimate))
    if not rows:
        return None
    counts = [_number(figures.count(version.rows(window))) for window in windows]
    label = element("th", "Rows with ground truth", scope="row")
    last = element("td") if is_estimated else None
    rows.append(element("tr", label, element("td"), counts, last))
    heads = [f"n:{title}" for title in ("Reference", *windows, *["Estimate"] * is_estimated)]
    return text(
        element("table", table_head("Quality", *heads), element("tbody", rows), class_="quality"),
        element("p", f"Estimate of {place.window}: {BLIND}", class_="soft")
        if is_estimated
        else None,
    )


def _number(shown: str) -> Html:
    return element("td", shown, class_="n")


def _title(name: str) -> Html:
    meaning = element("small", QUALITY_MEANINGS[name], class_="wide")
    return element("th", element("div", QUALITIES[name]), meaning, scope="row")


def _held_cell(held: Held) -> Html:
    return element(
        "td",
        element(
            "span",
            mark(held.is_worse, "worse"),
            figures.figure(held.value),
            class_="over-text" if held.is_worse else None,
        ),
        None
        if math.isnan(held.threshold) or math.isnan(held.value)
        else element("small", _limit(held), class_="limit-value"),
        class_="n",
    )


def _segments(version: VersionOutcomes, place: Place, shown: int | None) -> Html | None:
    window = place.window
    order = version.segments(window)
    if shown is not None:
        order = [of for of in order if _is_worse(version, window, of)][: shown // 2]
    names = [name for name in LEADING if not math.isnan(version.held(name, window).value)]
    if not order or not names:
        return None
    rows = [
        element(
            "tr",
            element("th", cut_name(f"{feature} = {segment}"), scope="row"),
            element("td", figures.count(version.rows(window, (feature, segment))), class_="n wide"),
            [_held_cell(version.held(name, window, (feature, segment))) for name in names],
        )
        for feature, segment in order
    ]
    head = table_head("Segment", "wide n:Rows", *(f"n:{QUALITIES[name]}" for name in names))
    said = "worst first" if shown is None else "those worse than chance explains, worst first"
    caption = element("caption", element("b", "Segments"), f"the last {window}, {said}")
    return element("table", caption, head, element("tbody", rows), class_="segments")


def _is_worse(version: VersionOutcomes, window: str, of: Slice) -> bool:
    return any(version.held(name, window, of).is_worse for name in QUALITY)


def _side_by_side(outcomes: ModelOutcomes, place: Place) -> Html | None:
    window, (champion, *others) = place.window, outcomes.versions
    rows = []
    for name in QUALITIES:
        if math.isnan(champion.held(name, window).value):
            continue
        value = _number(figures.figure(champion.held(name, window).value))
        cells = [_challenger_cell(version, name, window) for version in others]
        rows.append(element("tr", element("th", QUALITIES[name], scope="row"), value, cells))
    if not rows:
        return None
    counts = [_number(figures.count(v.rows(window))) for v in outcomes.versions]
    rows.append(element("tr", element("th", "Rows with ground truth", scope="row"), counts))
    heads = [
        element("th", cut_name(version.version), scope="col", class_="n")
        for version in outcomes.versions
    ]
    first = element("th", "Quality", scope="col")
    said = f"the last {window}; the first is the one that others are held against"
    return element(
        "table",
        element("caption", element("b", "Version against version"), said),
        element("thead", element("tr", first, heads)),
        element("tbody", rows),
        class_="quality versions",
    )


def _challenger_cell(version: VersionOutcomes, name: str, window: str) -> Html:
    difference, threshold = version.difference(name, window)
    is_worse = QUALITY[name].sign * difference < -threshold
    plus = "+" if difference > 0 else ""
    said = f"{plus}{figures.figure(difference)} of ±{figures.figure(threshold)}"
    return element(
        "td",
        element(
            "span",
            mark(is_worse, "worse"),
            figures.figure(version.held(name, window).value),
            class_="over-text" if is_worse else None,
        ),
        None if math.isnan(difference) else element("small", said, class_="limit-value"),
        class_="n",
    )


def _limit(held: Held) -> str:
    """Return what the quality must not be beyond, such as `≥ 0.8`."""
    sign = "≥" if QUALITY[held.name].sign > 0 else "≤"
    return f"{sign} {figures.figure(held.threshold)}"
