"""Facts about rows that come in one request: as many draws as they are independent."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlmon_exporter.core.drift.tests import Comparison
from mlmon_exporter.core.outcomes.tally_bytes import from_bytes, to_bytes
from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.stats.design_effect import (
    RequestRows,
    Scale,
    design_effects,
    effective_rows,
    merged,
)
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.tally import Tally
from tests.core.build import buffer_of

HOUR = 3600.0
NUMBER = NumericBins(np.linspace(-2, 2, 41), np.array([0.0]))
COLOUR = CategoryBins(("blue", "green", "red"))
FRAME = ReferenceMatrix(
    [
        ColumnReference(name, bins, np.full(bins.cell_count, 100, dtype=np.int64))
        for name, bins in (("n", NUMBER), ("c", COLOUR))
    ]
)


def tally_of(requests: list[dict[str, list[Any]]], *, is_request: bool = True) -> Tally:
    buffer = buffer_of(FRAME)
    for request in requests:
        buffer.add(request, len(request["n"]), 0.0, request_bytes=0 if is_request else None)
    buffer.drain()
    return buffer.tallies.merged(0.0)[0]


def requests_of(
    rng: np.random.Generator, count: int, size: int, alike: float
) -> list[dict[str, list[Any]]]:
    """Return requests whose numbers share a part of their variance, and whose colours do too."""
    made: list[dict[str, list[Any]]] = []
    for _ in range(count):
        numbers = np.sqrt(alike) * rng.normal() + np.sqrt(1 - alike) * rng.normal(size=size)
        own, shared = rng.choice(["red", "green", "blue"], size), rng.choice(["red", "green"])
        colours = np.where(rng.random(size) < alike, shared, own)
        made.append({"n": numbers.tolist(), "c": colours.tolist()})
    return made


def effects_of(tally: Tally) -> list[float]:
    effects: list[float] = design_effects(tally.requests, tally.rows, 2).tolist()
    return effects


def test_rows_by_themselves_are_as_many_draws() -> None:
    one = tally_of(requests_of(np.random.default_rng(0), 200, 1, 0.0))
    many = tally_of(requests_of(np.random.default_rng(0), 4, 50, 1.0), is_request=False)
    for tally in (one, many):
        assert tally.requests is None
        assert effects_of(tally) == [1.0, 1.0]
        assert FRAME.sums(tally).effects.tolist() == [1.0, 1.0]
        comparison = Comparison(FRAME, FRAME.sums(tally), Policy(), 1e-6)
        assert comparison.draws.tolist() == [200.0, 200.0]


def test_independent_rows_of_many_requests_are_nearly_as_many_draws() -> None:
    tally = tally_of(requests_of(np.random.default_rng(1), 2000, 20, 0.0))
    assert all(1.0 <= effect < 1.3 for effect in effects_of(tally))


@pytest.mark.parametrize("alike", [0.3, 0.8])
@pytest.mark.slow
def test_a_mean_scatters_as_much_more_as_the_effect_says(alike: float) -> None:
    rng = np.random.default_rng(2)
    windows = [requests_of(rng, 100, 20, alike) for _ in range(400)]
    places = np.clip([[r["n"] for r in window] for window in windows], -1.6, 1.6)
    truth = places.mean(axis=(1, 2)).var() / (places.var() / (100 * 20))
    effects = [effects_of(tally_of(window))[0] for window in windows[:40]]
    # What was seen of a hundred requests is taken for what may be in truth.
    assert truth < min(effects)
    assert np.median(effects) < min(2.2 * truth, 20.0 + 1e-9)


def test_rows_that_are_all_the_same_are_one_draw_a_request() -> None:
    one: dict[str, list[Any]] = {"n": [0.1] * 20, "c": ["red"] * 20}
    other: dict[str, list[Any]] = {"n": [1.0] * 20, "c": ["blue"] * 20}
    assert effects_of(tally_of([one, other] * 100)) == pytest.approx([20.0, 20.0])


def test_nothing_says_that_the_rows_of_few_requests_are_not_alike() -> None:
    rng = np.random.default_rng(3)
    for count in (1, 2):
        assert effects_of(tally_of(requests_of(rng, count, 50, 0.0))) == [50.0, 50.0]


def test_missing_values_that_come_together_are_alike() -> None:
    rng = np.random.default_rng(4)
    requests = requests_of(rng, 400, 20, 0.0)
    for request in requests[::10]:
        request["n"] = [None] * 20
    number, colour = effects_of(tally_of(requests))
    assert number > 5.0
    assert colour < 1.8


def test_rows_by_themselves_beside_requests_count_as_they_are() -> None:
    rng = np.random.default_rng(5)
    requests = requests_of(rng, 50, 20, 1.0)
    alone = requests_of(rng, 1000, 1, 0.0)
    both = effects_of(tally_of(requests + alone))
    assert both == pytest.approx([(e * 1000 + 1000) / 2000 for e in effects_of(tally_of(requests))])


@given(st.lists(st.integers(2, 30), min_size=1, max_size=30), st.floats(0, 1), st.integers(0, 9))
def test_an_effect_is_between_one_and_the_rows_of_a_request(
    sizes: list[int], alike: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tally = tally_of([requests_of(rng, 1, size, alike)[0] for size in sizes])
    most = sum(size**2 for size in sizes) / sum(sizes)
    assert all(1.0 <= effect <= most * (1 + 1e-9) for effect in effects_of(tally))


def test_parts_add_up_to_the_whole_and_stay_as_they_are() -> None:
    requests = requests_of(np.random.default_rng(6), 40, 10, 0.5)
    whole = tally_of(requests)
    parts = [tally_of(requests[i::3]) for i in range(3)]
    before = [to_bytes(part) for part in parts]
    total = Tally(FRAME.layout)
    for part in parts:
        total.merge(part)
    assert effects_of(total) == pytest.approx(effects_of(whole))
    assert effects_of(total.copy()) == effects_of(total)
    assert [to_bytes(part) for part in parts] == before
    assert merged(None, None) is None


def test_a_request_longer_than_the_buffer_is_one_request() -> None:
    rng = np.random.default_rng(7)
    tally = tally_of(requests_of(rng, 3, 3000, 0.5))
    assert tally.requests is not None
    assert (tally.requests.rows, tally.requests.squares) == (9000.0, 3 * 3000.0**2)


def test_what_is_known_of_requests_is_kept_on_disk() -> None:
    tally = tally_of(requests_of(np.random.default_rng(8), 40, 10, 0.5))
    read = from_bytes(to_bytes(tally))
    assert isinstance(read, Tally)
    assert effects_of(read) == effects_of(tally)
    alone = tally_of(requests_of(np.random.default_rng(8), 40, 1, 0.5))
    without = from_bytes(to_bytes(alone))
    assert isinstance(without, Tally)
    assert without.requests is None


@pytest.mark.parametrize("cut", [8, 16, 72])
def test_damaged_sums_over_requests_are_refused(cut: int) -> None:
    data = to_bytes(tally_of(requests_of(np.random.default_rng(9), 40, 10, 0.5)))
    with pytest.raises(ValueError, match="tally: expected sums over requests, got others"):
        from_bytes(data[:-cut])
    for number in (np.nan, -1.0, 0.0):
        start = len(data) - 8 * (2 + 4 * 2)
        with pytest.raises(ValueError, match="tally: expected"):
            from_bytes(data[:start] + np.float64(number).tobytes() + data[start + 8 :])


@pytest.mark.parametrize("value", [1e308, -1e308, np.inf])
def test_huge_values_weigh_no_more_than_others(value: float) -> None:
    scale = Scale(np.array([True]), np.linspace(-2, 2, 100)[None])
    sums = scale.sums(np.array([[value, 0.0]]), [2])
    assert np.abs(sums).max() <= 4.0


def test_rare_values_far_off_hide_nothing_of_the_others() -> None:
    reference = np.repeat([0.0, 1.0, 2.0, 3.0, 300.0], [40, 30, 20, 9, 1])
    rng = np.random.default_rng(11)
    block = np.repeat(rng.choice(reference, 500), 20)[None]
    scale = Scale(np.array([True]), reference[None])
    requests = RequestRows(500.0 * 20, 500.0 * 20**2, scale.sums(block, [20] * 500))
    assert design_effects(requests, 10_000, 1)[0] == pytest.approx(20.0)
    mixed = scale.sums(rng.permuted(block, axis=1), [20] * 500)
    assert design_effects(requests._replace(sums=mixed), 10_000, 1)[0] < 2.0


@pytest.mark.parametrize("ranks", [np.empty((0, 100)), np.full((1, 100), np.nan)])
def test_a_reference_without_values_has_a_scale(ranks: NDArray[np.float64]) -> None:
    scale = Scale(np.ones(len(ranks), dtype=bool), ranks)
    assert np.isfinite(scale.sums(np.ones((len(ranks), 2)), [2])).all()


def test_a_window_is_worth_fewer_rows_the_more_alike_they_are() -> None:
    effects = np.array([1.0, 2.0, 10.0, 1e9])
    draws = effective_rows(np.full(4, 1000), 500, effects)
    assert draws[0] == 500
    assert all(more > less for more, less in pairwise(draws))
    assert draws[-1] == 1.0
    n, m = 1000, 500
    assert 1 / n + 1 / draws[1] == pytest.approx(2 * (1 / n + 1 / m))


def test_requests_know_their_columns() -> None:
    tally = tally_of(requests_of(np.random.default_rng(10), 4, 10, 0.5))
    tally.requests = RequestRows(40.0, 400.0, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="tally: expected the"):
        FRAME.layout.check(tally)
