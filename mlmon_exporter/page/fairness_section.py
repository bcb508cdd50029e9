"""The sections of a model's fairness and of its business numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import formatting
from .document import cut_name, name_of, table_head, tiles
from .html import Child, Html, element, text
from .labels import PARITIES, RATES
from .links import Context
from .outcome_view import Kpi, ModelOutcomes, VersionOutcomes
from .view import ModelView


def fairness_section(model: ModelView, context: Context, shown: int | None) -> Child:
    """Return parities and rates by feature and version, None without any.

    The first page shows those of the first version only.
    """
    found = [
        part
        for version in model.outcomes.versions[: None if shown is None else 1]
        for part in _of_version(model.outcomes, version, context, shown)
    ]
    return text(found) if found else None


def _of_version(
    outcomes: ModelOutcomes, version: VersionOutcomes, context: Context, shown: int | None
) -> Iterator[Html]:
    several = len(outcomes.versions) > 1
    of = (", version ", name_of(version.version)) if several else None
    for feature, parities in version.parities(context.window).items():
        last = element("small", f"the last {context.window}")
        yield element("h3", "Fairness by ", name_of(feature), of, last)
        shares = [(PARITIES[name], formatting.number(parities[name])) for name in parities]
        yield tiles(shares)
        if shown is None:
            yield _rates(version.rates(context.window, feature), feature)


def _rates(segments: Mapping[str, Mapping[str, float]], feature: str) -> Html:
    order = sorted(segments, key=lambda segment: -segments[segment]["rows"])
    rows = [
        element(
            "tr",
            element("th", cut_name(segment), scope="row"),
            element("td", formatting.count(segments[segment]["rows"]), class_="n"),
            [
                element("td", formatting.percent(segments[segment][rate]), class_="n")
                for rate in RATES
            ],
        )
        for segment in order
    ]
    heads = [
        element(
            "th",
            element("div", label.title),
            element("small", label.meaning, class_="wide"),
            scope="col",
            class_="n rate",
        )
        for label in RATES.values()
    ]
    first = [
        element("th", name_of(feature), scope="col"),
        element("th", "Rows", scope="col", class_="n"),
    ]
    return element(
        "table",
        element("thead", element("tr", first, heads)),
        element("tbody", rows),
        class_="rates",
    )


def kpi_section(model: ModelView, _context: Context, _shown: int | None) -> Child:
    """Return a model's business numbers, None without any."""
    return kpi_table(model.outcomes.kpis)


def kpi_table(found: list[Kpi]) -> Html | None:
    """Return the table of business numbers, None without any."""
    if not found:
        return None
    several = len({kpi.version for kpi in found}) > 1
    rows = [
        element(
            "tr",
            element("th", cut_name(kpi.name), scope="row"),
            element("td", cut_name(kpi.version)) if several else None,
            [
                element("td", shown, class_="n")
                for shown in (
                    formatting.count(kpi.events),
                    formatting.number(kpi.total),
                    formatting.number(kpi.total / kpi.events),
                )
            ],
        )
        for kpi in found
    ]
    titles = ["Name", *(["Version"] if several else []), "n:Events", "n:Sum", "n:Mean"]
    caption = element("caption", element("b", "Business numbers"), "since the start")
    return element("table", caption, table_head(*titles), element("tbody", rows), class_="kpis")
