"""Facts about the way of the data: it has few steps, and ends where it should."""

from __future__ import annotations

from .hops import request_way, scrape_way


def test_from_the_bytes_of_a_request_to_the_counts_of_bins_are_few_steps() -> None:
    way = request_way()
    assert "core/profile/bins.py: NumericBins" in way.steps
    assert len(way.steps) <= 14, way.steps
    assert len(way.files) <= 12, way.files


def test_from_the_counts_of_bins_to_the_text_of_metrics_are_at_most_twelve_steps() -> None:
    way = scrape_way()
    assert {"core/windows/tally.py: Tally", "endpoints/scrape.py: MetricsApp"} <= way.steps.keys()
    assert len(way.steps) <= 12, way.steps
