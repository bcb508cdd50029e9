"""What the page says of a model's fairness, and of the business numbers that go with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import figures
from .document import cut_name, name_of, tiles
from .html import Child, Html, element, text
from .outcomes import Kpi, ModelOutcomes, VersionOutcomes
from .ranking import Place, table_head
from .view import ModelView
from .words import PARITIES, RATE_MEANINGS, RATES


def fairness_part(model: ModelView, place: Place, shown: int | None) -> Child:
    """Return parities and rates by feature and version; None without any.

    The first page has those of the first version.
    """
    found = [
        part
        for version in model.outcomes.versions[: None if shown is None else 1]
        for part in _of_version(model.outcomes, version, place, shown)
    ]
    return text(found) if found else None


def _of_version(
    outcomes: ModelOutcomes, version: VersionOutcomes, place: Place, shown: int | None
) -> Iterator[Html]:
    several = len(outcomes.versions) > 1
    of = (", version ", name_of(version.version)) if several else None
    for feature, parities in version.parities(place.window).items():
        last = element("small", f"the last {place.window}")
        yield element("h3", "Fairness by ", name_of(feature), of, last)
        shares = [(PARITIES[name], figures.figure(parities[name])) for name in parities]
        yield tiles(shares)
        if shown is None:
            yield _rates(version.rates(place.window, feature), feature)


def _rates(segments: Mapping[str, Mapping[str, float]], feature: str) -> Html:
    order = sorted(segments, key=lambda segment: -segments[segment]["rows"])
    rows = [
        element(
            "tr",
            element("th", cut_name(segment), scope="row"),
            element("td", figures.count(segments[segment]["rows"]), class_="n"),
            [element("td", figures.percent(segments[segment][rate]), class_="n") for rate in RATES],
        )
        for segment in order
    ]
    heads = [
        element(
            "th",
            element("div", RATES[rate]),
            element("small", RATE_MEANINGS[rate], class_="wide"),
            scope="col",
            class_="n rate",
        )
        for rate in RATES
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


def kpi_part(model: ModelView, _place: Place, _shown: int | None) -> Child:
    """Return a model's business numbers; None without any."""
    return kpis(model.outcomes.kpis)


def kpis(of: list[Kpi]) -> Html | None:
    """Return business numbers as a table; None without any."""
    if not of:
        return None
    several = len({kpi.version for kpi in of}) > 1
    rows = [
        element(
            "tr",
            element("th", cut_name(kpi.name), scope="row"),
            element("td", cut_name(kpi.version)) if several else None,
            [
                element("td", shown, class_="n")
                for shown in (
                    figures.count(kpi.events),
                    figures.figure(kpi.total),
                    figures.figure(kpi.total / kpi.events),
                )
            ],
        )
        for kpi in of
    ]
    titles = ["Name", *(["Version"] if several else []), "n:Events", "n:Sum", "n:Mean"]
    caption = element("caption", element("b", "Business numbers"), "since the start")
    return element("table", caption, table_head(*titles), element("tbody", rows), class_="kpis")
