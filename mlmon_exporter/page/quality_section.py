"""The section of a model's quality: numbers, estimates, segments, versions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mlmon_exporter.core.outcomes.estimated import DOUBTFUL
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.core.profile.variation import LEAST_ROWS

from . import formatting
from .document import cut_name, name_of, table_head, tiles, warning_mark
from .html import Child, Html, element, text
from .labels import GROUND_TRUTHS, QUALITIES
from .links import Context
from .outcome_view import Concept, ModelOutcomes, Quality, Segment, VersionOutcomes
from .view import ModelView

LEADING = ("accuracy", "f1", "roc_auc", "mae", "rmse", "r2")
"""Qualities that fit into a table of segments."""
BLIND = (
    "expected from inputs and predictions, without ground truth. It is blind to concept drift: if "
    "the same inputs lead to other outcomes, it does not change."
)
NOT_KNOWN = (
    "No alert on quality comes yet. The reference has no times, and until nine days of "
    f"{LEAST_ROWS} outcomes or more each have shown how outcomes depend on each other, thresholds "
    "take them for independent. With fewer outcomes a day that stays so."
)
SINCE = "since the start"


def quality_section(model: ModelView, context: Context, shown: int | None) -> Child:
    """Return quality, estimates and segments of each version, None without any."""
    outcomes = model.outcomes
    if not outcomes.versions and not any(outcomes.statuses.values()):
        return None
    several = len(outcomes.versions) > 1
    parts: list[Child] = [element("h3", "Quality"), _ground_truth_counts(outcomes)]
    if outcomes.is_independent:
        parts.append(element("p", NOT_KNOWN, class_="soft"))
    if several:
        parts.append(_side_by_side(outcomes, context))
    for version in outcomes.versions if not several or shown is None else ():
        title = element("h3", "Quality of version ", name_of(version.version)) if several else None
        parts += [title, *_of_version(version, context, shown)]
    return text(parts)


def _ground_truth_counts(outcomes: ModelOutcomes) -> Html:
    entries: list[tuple[str, Child]] = [
        ("Waiting for ground truth", formatting.count(outcomes.waiting)),
    ]
    for status, count in outcomes.statuses.items():
        if count or status in ("matched", "late"):
            title = f"{GROUND_TRUTHS[status]} {SINCE}"
            entries.append((title, formatting.count(count)))
    return tiles(entries)


def _of_version(version: VersionOutcomes, context: Context, shown: int | None) -> Iterator[Child]:
    if version.has_reference:
        yield element("p", _concept(version.concept(context.window), context.window))
    yield _qualities(version, context, shown)
    yield _segments(version, context, shown)


def _concept(concept: Concept, window: str) -> Html:
    if concept.is_drifted is None:
        return text("Concept drift: too few outcomes to tell.")
    numbers = (
        f" KS distance of the residuals from the reference's in {window}: "
        f"{formatting.number(concept.statistic)}; threshold {formatting.number(concept.threshold)}."
    )
    verdict = "The concept has drifted." if concept.is_drifted else "No concept drift."
    shown = text(warning_mark(concept.is_drifted), verdict)
    return text(element("span", shown, class_="over-text" if concept.is_drifted else None), numbers)


def _shown_names(version: VersionOutcomes, windows: Sequence[str], shown: int | None) -> list[str]:
    """Return the qualities to show: on the first page those with a threshold, if there are any."""
    found = {name: [version.quality(name, w) for w in windows] for name in QUALITIES}
    known = [
        n
        for n, each in found.items()
        if any(not math.isnan(q.value) or not math.isnan(q.reference) for q in each)
    ]
    deciding = [n for n in known if QUALITY[n].error is not None]
    return deciding if shown is not None and deciding else known


def _qualities(version: VersionOutcomes, context: Context, shown: int | None) -> Html | None:
    windows = context.windows
    names = _shown_names(version, windows, shown)
    estimates = {name: version.estimate(name, context.window) for name in names}
    is_estimated = not all(map(math.isnan, estimates.values()))
    rows = []
    for name in names:
        found = [version.quality(name, window) for window in windows]
        reference = _number(formatting.number(found[0].reference))
        estimate = _number(formatting.number(estimates[name])) if is_estimated else None
        rows.append(element("tr", _title(name), reference, map(_quality_cell, found), estimate))
    if not rows:
        return None
    counts = [_number(formatting.count(version.rows(window))) for window in windows]
    label = element("th", "Rows with ground truth", scope="row")
    last = element("td") if is_estimated else None
    rows.append(element("tr", label, element("td"), counts, last))
    rows += _coverage_rows(version, windows, last)
    heads = [f"n:{title}" for title in ("Reference", *windows, *["Estimate"] * is_estimated)]
    return text(
        element("table", table_head("Quality", *heads), element("tbody", rows), class_="quality"),
        element("p", f"Estimate of {context.window}: {BLIND}", class_="soft")
        if is_estimated
        else _doubt(version.doubt(context.window), context.window),
    )


def _doubt(share: float, window: str) -> Html | None:
    """Return why a quality is not estimated; None where it never is, or rows are few."""
    if not share > DOUBTFUL:
        return None
    said = f"No estimate of {window}: {formatting.percent(share)} of its rows are unlike any of "
    return element("p", warning_mark(True, "doubt"), said, "the reference.", class_="soft")


def _coverage_rows(
    version: VersionOutcomes, windows: Sequence[str], last: Html | None
) -> Iterator[Html]:
    """Give the row of the share of predictions with ground truth, uneven ones by class."""
    found = [version.coverage(window) for window in windows]
    if all(math.isnan(coverage.all_rows) for coverage in found):
        return
    is_uneven = any(coverage.is_uneven for coverage in found)
    label = element("th", "Share of predictions with ground truth", scope="row")
    cells = [
        element(
            "td",
            warning_mark(coverage.is_uneven, "uneven"),
            formatting.percent(coverage.all_rows),
            class_="n",
        )
        for coverage in found
    ]
    yield element("tr", label, element("td"), cells, last)
    names = dict.fromkeys(name for each in found for name in each.by_class) if is_uneven else ()
    for name in names:
        shares = [formatting.percent(each.by_class.get(name, math.nan)) for each in found]
        of_class = element("th", "Of those predicted ", cut_name(name), scope="row")
        yield element("tr", of_class, element("td"), map(_number, shares), last)


def _number(shown: str) -> Html:
    return element("td", shown, class_="n")


def _title(name: str) -> Html:
    meaning = element("small", QUALITIES[name].meaning, class_="wide")
    return element("th", element("div", QUALITIES[name].title), meaning, scope="row")


def _quality_cell(quality: Quality) -> Html:
    return element(
        "td",
        element(
            "span",
            warning_mark(quality.is_worse, "worse"),
            formatting.number(quality.value),
            class_="over-text" if quality.is_worse else None,
        ),
        None
        if math.isnan(quality.threshold) or math.isnan(quality.value)
        else element("small", _limit(quality), class_="limit-value"),
        class_="n",
    )


def _segments(version: VersionOutcomes, context: Context, shown: int | None) -> Html | None:
    window = context.window
    order = version.segments(window)
    if shown is not None:
        order = [segment for segment in order if _is_worse(version, window, segment)][: shown // 2]
    names = [name for name in LEADING if not math.isnan(version.quality(name, window).value)]
    if not order or not names:
        return None
    rows = [
        element(
            "tr",
            element("th", cut_name(f"{feature} = {segment}"), scope="row"),
            element(
                "td", formatting.count(version.rows(window, (feature, segment))), class_="n wide"
            ),
            [_quality_cell(version.quality(name, window, (feature, segment))) for name in names],
        )
        for feature, segment in order
    ]
    head = table_head("Segment", "wide n:Rows", *(f"n:{QUALITIES[name].title}" for name in names))
    said = "worst first" if shown is None else "those beyond their threshold, worst first"
    caption = element("caption", element("b", "Segments"), f"the last {window}, {said}")
    return element("table", caption, head, element("tbody", rows), class_="segments")


def _is_worse(version: VersionOutcomes, window: str, segment: Segment) -> bool:
    return any(version.quality(name, window, segment).is_worse for name in QUALITY)


def _side_by_side(outcomes: ModelOutcomes, context: Context) -> Html | None:
    window, (champion, *others) = context.window, outcomes.versions
    rows = []
    for name in QUALITIES:
        if math.isnan(champion.quality(name, window).value):
            continue
        value = _number(formatting.number(champion.quality(name, window).value))
        cells = [_challenger_cell(version, name, window) for version in others]
        rows.append(element("tr", element("th", QUALITIES[name].title, scope="row"), value, cells))
    if not rows:
        return None
    counts = [_number(formatting.count(v.rows(window))) for v in outcomes.versions]
    rows.append(element("tr", element("th", "Rows with ground truth", scope="row"), counts))
    heads = [
        element("th", cut_name(version.version), scope="col", class_="n")
        for version in outcomes.versions
    ]
    first = element("th", "Quality", scope="col")
    said = f"the last {window}; the others are compared with the first"
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
    said = f"{plus}{formatting.number(difference)} of ±{formatting.number(threshold)}"
    return element(
        "td",
        element(
            "span",
            warning_mark(is_worse, "worse"),
            formatting.number(version.quality(name, window).value),
            class_="over-text" if is_worse else None,
        ),
        None if math.isnan(difference) else element("small", said, class_="limit-value"),
        class_="n",
    )


def _limit(quality: Quality) -> str:
    """Return the threshold with its side, such as `≥ 0.8`."""
    sign = "≥" if QUALITY[quality.name].sign > 0 else "≤"
    return f"{sign} {formatting.number(quality.threshold)}"
