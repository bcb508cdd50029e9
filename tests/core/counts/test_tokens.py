"""Facts about when tokens are sent."""

from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.counts.tokens import FIRST_TOKEN_BOUNDS, TOKEN_BOUNDS, TokenTimes
from mlmon_exporter.core.records import Histograms

OK = ("m", "1", "/chat", "POST", 200, "ok")
MEASURES = (0.1, 0.1, 1.0, 1.0)


def times(*moments: float) -> TokenTimes:
    tokens = TokenTimes(10.0)
    for moment in moments:
        tokens.tick(10.0 + moment)
    return tokens


def histograms(traffic: RequestCounts) -> dict[str, Histograms]:
    blocks = (block for block in traffic.readings() if isinstance(block, Histograms))
    return {block.name: block for block in blocks if "token" in block.name}


def test_times_are_in_the_buckets_where_numpy_puts_them() -> None:
    gaps = np.random.default_rng(1).lognormal(-4, 2, 200)
    first, between = times(*np.cumsum(gaps)).cells()
    for cell, bounds, values in (
        (first, FIRST_TOKEN_BOUNDS, gaps[:1]),
        (between, TOKEN_BOUNDS, gaps[1:]),
    ):
        edges = [-np.inf, *np.nextafter(bounds, np.inf), np.inf]  # a value on a bound is below it
        assert cell[:-1] == np.histogram(values, edges)[0].tolist()
        assert cell[-1] == pytest.approx(values.sum())


def test_an_answer_without_a_token_is_in_no_histogram() -> None:
    assert [sum(cell) for cell in times().cells()] == [0, 0]
    assert [sum(cell[:-1]) for cell in times(0.5).cells()] == [1, 0]


def test_tokens_of_many_answers_add_up_under_their_route() -> None:
    traffic = RequestCounts()
    for _ in range(3):
        traffic.record(OK, MEASURES)
        traffic.record_tokens("m", "1", "/chat", times(0.3, 0.4, 0.5))
    found = histograms(traffic)
    assert found["mlmon_request_first_token_seconds"].labels == (("m", "1", "/chat"),)
    assert sum(found["mlmon_request_first_token_seconds"].counts[0]) == 3
    assert found["mlmon_request_first_token_seconds"].sums[0] == pytest.approx(0.9)
    assert sum(found["mlmon_output_token_seconds"].counts[0]) == 6
    assert found["mlmon_output_token_seconds"].sums[0] == pytest.approx(0.6)


def test_a_route_over_the_cap_is_other_and_counted_once() -> None:
    overflows: list[str] = []
    traffic = RequestCounts(max_routes=1, on_overflow=overflows.append)
    for route in ("/a", "/b"):
        traffic.record((*OK[:2], route, *OK[3:]), MEASURES)
        traffic.record_tokens("m", "1", route, times(0.1))
    labels = histograms(traffic)["mlmon_request_first_token_seconds"].labels
    assert {label[2] for label in labels} == {"/a", "other"}
    assert overflows == ["route"]


def test_without_a_streamed_answer_there_are_no_histograms_of_tokens() -> None:
    traffic = RequestCounts()
    traffic.record(OK, MEASURES)
    assert not histograms(traffic)


def test_tokens_survive_taking_merging_and_the_disk() -> None:
    traffic = RequestCounts()
    traffic.record(OK, MEASURES)
    traffic.record_tokens("m", "1", "/chat", times(0.3, 0.4))
    expected = histograms(traffic)
    merged = RequestCounts()
    merged.merge(RequestCounts().loaded(traffic.take().to_form()))
    assert histograms(merged) == expected
    assert not histograms(traffic)


def test_counts_that_an_older_version_kept_are_read() -> None:
    traffic = RequestCounts()
    traffic.record(OK, MEASURES)
    form = traffic.to_form()
    del form["by_stream"]
    assert sum(RequestCounts().loaded(form).requests.cells.values()) == 1
