"""Facts about links: they keep what was chosen."""

from __future__ import annotations

from urllib.parse import parse_qs

from mlmon_exporter.page.links import QueryLinks


def query(link: str) -> dict[str, list[str]]:
    return parse_qs(link.removeprefix("?"))


def test_a_link_keeps_the_window_and_the_pause_and_drops_the_rest() -> None:
    links = QueryLinks({"window": "1h", "paused": "1", "model": "m", "feature": "x", "odd": "?"})
    assert query(links.overview()) == {"window": ["1h"], "paused": ["1"]}
    assert query(links.model("a&b")) == {"model": ["a&b"], "window": ["1h"], "paused": ["1"]}
    assert query(links.model("m", "24h"))["window"] == ["24h"]


def test_the_same_page_is_paused_and_goes_on() -> None:
    links = QueryLinks({"model": "m", "feature": "x"})
    paused = links.same(paused=True)
    assert query(paused) == {"model": ["m"], "feature": ["x"], "paused": ["1"]}
    assert query(QueryLinks({"model": "m", "paused": "1"}).same(paused=False)) == {"model": ["m"]}
