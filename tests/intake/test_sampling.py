"""Facts about the share of exchanges that is read."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.records import ExchangeFields
from mlmon_exporter.intake.sampling import LEAST_SHARE, Sampling


def fields(prediction_id: str, arrived: float = 0.0) -> ExchangeFields:
    return (arrived, "m", "/p", "/p", 200, prediction_id, (), ())


def chosen(sampling: Sampling) -> set[str]:
    return {str(i) for i in range(2000) if sampling.is_chosen(fields(str(i)))}


def test_a_share_is_chosen_by_id_and_a_lower_one_is_a_part_of_it() -> None:
    all_of_them, half, again = Sampling(1.0), Sampling(0.5), Sampling(0.5)
    assert len(chosen(all_of_them)) == 2000
    assert len(chosen(half)) == pytest.approx(1000, abs=120)  # over five standard deviations
    assert chosen(half) == chosen(again)
    again.lower()
    assert again.share == 0.25
    assert chosen(again) < chosen(half)
    assert all(again.is_wanted(fields(each)) for each in chosen(half))


def test_the_share_returns_to_the_ratio_and_never_falls_to_zero() -> None:
    sampling = Sampling(0.75)
    for _ in range(40):
        sampling.lower()
    assert sampling.share == LEAST_SHARE
    for _ in range(40):
        sampling.restore()
    assert sampling.share == 0.75


@pytest.mark.parametrize("apart", [1e-5, 0.001, 1 / 3, 0.5, 1.0, 60.0])
@pytest.mark.parametrize("share", [0.5, 1 / 16])
def test_exchanges_without_an_id_are_chosen_evenly_by_their_time(
    apart: float, share: float
) -> None:
    sampling = Sampling(share)
    for first in (0, 1000):
        times = [1.8e9 + i * apart for i in range(first, first + 1000)]
        taken = [sampling.is_chosen(fields("", time)) for time in times]
        assert sum(taken) == pytest.approx(1000 * share, abs=160 * share + 20)
