from __future__ import annotations

import math

import pytest

from mlmon_exporter.page import formatting


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.00"),
        (0.08, "0.0800"),
        (2.156, "2.16"),
        (-13.26, "\N{MINUS SIGN}13.3"),
        (123456.0, "123456"),
        (1e9, "1.00e+09"),
        (1e-9, "1.00e\N{MINUS SIGN}09"),
        (math.inf, "∞"),
        (math.nan, formatting.NO_VALUE),
    ],
)
def test_a_number_has_three_digits(value: float, shown: str) -> None:
    assert formatting.number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.99949, "99.9 %"),
        (0.0123, "1.2 %"),
        (0.0012, "0.12 %"),
        (0.00001, "< 0.01 %"),
        (math.nan, formatting.NO_VALUE),
    ],
)
def test_a_share_is_in_percent(share: float, shown: str) -> None:
    assert formatting.percent(share) == shown


def test_shares_among_the_scores_are_in_percent() -> None:
    assert formatting.score("missing_ratio", 0.2) == "20.0 %"
    assert formatting.score("psi", 0.2) == "0.200"


def test_a_tiny_score_has_no_exponent() -> None:
    assert formatting.score("psi", 9.3e-5) == "< 0.001"
    assert formatting.score("psi", 1e-3) == "0.00100"
    assert formatting.score("psi", 0.0) == "0.00"
    assert formatting.score("psi", math.nan) == formatting.NO_VALUE


def test_counts_are_in_groups_of_three_digits() -> None:
    assert formatting.count(1234567) == "1\u202f234\u202f567"
    assert [formatting.counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def test_durations_are_in_a_unit_that_fits() -> None:
    assert [formatting.seconds(s) for s in (0.0042, 0.25, 1.5, math.inf)] == [
        "4.20 ms",
        "250 ms",
        "1.50 s",
        "∞",
    ]
    assert [formatting.span(s) for s in (20, 300, 7200, 86400)] == ["20 s", "5 min", "2 h", "1 d"]


def test_times_are_in_utc() -> None:
    assert formatting.moment(1_763_900_000.0) == "2025-11-23 12:13:20 UTC"
    assert formatting.clock(1_763_900_000.0) == "12:13"


def test_times_less_than_a_minute_apart_differ() -> None:
    assert formatting.clock(1_763_900_000.0, step_seconds=60.0) == "12:13"
    assert formatting.clock(1_763_900_000.0, step_seconds=15.0) == "12:13:20"
