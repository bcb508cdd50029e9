"""Facts about scores and verdicts of fed rows, against NumPy and SciPy on the raw rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from mlmon_exporter.core.drift.tests import SCORES, TESTS, Comparison, count_tests, score
from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.stats.scatter import Scatter, doubt, natural_gap
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.tally import Tally
from tests.core.build import LEVEL, fed, reference, references, scored, sums_of
from tests.core.distributions import Distribution, Floats
from tests.core.oracles import exact_ks, exact_psi, rows_per_bin

SIZES = {"fastdigest": (100_000, 20_000), "tdigest": (3_000, 800)}
LOOSE = Policy(psi_floor=0.0, ks_floor=0.0, share_floor=0.0, min_window_rows=1)


class Case:
    """A reference and a window: their raw rows, and the scores that came out."""

    def __init__(self, made: Distribution, engine: str, has_changed: bool) -> None:
        rng = np.random.default_rng(7)
        reference_rows, window_rows = SIZES[engine]
        self.reference = made.rows(rng, reference_rows)
        self.window = (made.changed_rows if has_changed else made.rows)(rng, window_rows)
        self.column = reference(self.reference, engine=engine)
        self.frame = ReferenceMatrix([self.column])
        rows = {"x": self.window}
        self.scores = scored(self.frame, rows, engine=engine, rng=np.random.default_rng(8))

    def __getitem__(self, name: str) -> float:
        return float(self.scores[name][0])

    @property
    def edges(self) -> Floats:
        """Of cells, infinite ones at both ends: cell `i` is from the edge `i` to the next."""
        assert isinstance(self.column.bins, NumericBins)
        return np.concatenate(([-math.inf], self.column.bins.edges, [math.inf]))

    def bin_rows(self) -> tuple[list[int], list[int]]:
        assert isinstance(self.column.bins, NumericBins)
        bins = self.column.bins
        if not bins.is_discrete:
            edges = bins.bin_edges
            return rows_per_bin(self.reference, edges), rows_per_bin(self.window, edges)
        known = np.unique(self.reference)
        sides = []
        for rows in (self.reference, self.window):
            old, new = rows[np.isin(rows, known)], rows[~np.isin(rows, known) & ~np.isnan(rows)]
            in_bins = rows_per_bin(old, bins.bin_edges)
            sides.append([*in_bins[:-1], len(new), int(np.isnan(rows).sum())])
        return sides[0], sides[1]


made_case = cache(Case)  # several tests look at each


@pytest.fixture(params=[False, True], ids=["unchanged", "changed"])
def case(request: pytest.FixtureRequest, distribution: Distribution, engine: str) -> Case:
    return made_case(distribution, engine, request.param)


@pytest.mark.slow
def test_psi_and_js_distance_are_exact(case: Case) -> None:
    r, c = case.bin_rows()
    assert case["psi"] == pytest.approx(exact_psi(r, c), abs=1e-9)
    assert case["js_distance"] == pytest.approx(jensenshannon(r, c, base=2), abs=1e-9)


@pytest.mark.slow
def test_ks_is_within_two_thousandths_and_exact_where_discrete(
    case: Case, distribution: Distribution, engine: str
) -> None:
    exact = exact_ks(case.reference, case.window)
    # At the pure engine's small sizes a few rows are 0.002; the bound is the share of a cell.
    continuous = 0.002 if engine == "fastdigest" else 1 / 256
    allowed = 1e-12 if distribution.is_discrete else continuous
    assert exact - allowed <= case["ks_statistic"] <= exact + 1e-12


@pytest.mark.slow
def test_wasserstein_ratio_is_within_5_percent_of_scipy_s(
    case: Case, distribution: Distribution, engine: str
) -> None:
    if distribution.name in ("constant", "tiny"):  # the sd is 0, or too small for its square
        assert math.isnan(case["wasserstein_ratio"])
        return
    exact = wasserstein_distance(case.reference, case.window) / case.reference.std()
    least = 0.002 if engine == "fastdigest" else 0.02
    # A few rows beyond the reference's last decide on all where there is no mean.
    most = 0.15 if distribution.name == "pareto" else 0.05
    assert case["wasserstein_ratio"] == pytest.approx(exact, rel=most, abs=least)


def test_rows_beyond_the_percentiles_and_the_range_are_counted(case: Case) -> None:
    low, high = case.column.tail_cells
    below, above = (rows_per_bin(side, case.edges[1:-1]) for side in (case.reference, case.window))
    assert sum(below[:low]) <= 0.002 * len(case.reference)
    assert sum(below[high:-1]) <= 0.002 * len(case.reference)
    beyond = np.count_nonzero((case.window <= case.edges[low]) | (case.window > case.edges[high]))
    assert beyond == sum(above[:low]) + sum(above[high:-1])
    assert case["tail_ratio"] == beyond / len(case.window)

    ends = case.reference.min(), case.reference.max()
    window = np.append(case.window, ends)
    outside = np.count_nonzero((window < ends[0]) | (window > ends[1]))
    assert sums_of(case.frame, {"x": window}).outside.tolist() == [outside]


def test_a_column_drifts_where_a_score_is_over_its_threshold(case: Case) -> None:
    over = [case[test.score] > case[name] for name, test in TESTS.items()]
    assert case["drifted"] == float(any(over))


def test_unchanged_rows_do_not_drift(distribution: Distribution, engine: str) -> None:
    assert made_case(distribution, engine, False)["drifted"] == 0.0


def test_a_continuous_column_has_tails_of_a_thousandth() -> None:
    column = reference(np.random.default_rng(1).normal(size=100_000))
    low, high = column.tail_cells
    assert column.counts[:low].sum() == pytest.approx(100, abs=15)
    assert column.counts[high:-1].sum() == pytest.approx(100, abs=15)


def test_an_atom_is_no_tail() -> None:
    column = reference(np.concatenate((np.zeros(500), np.linspace(1, 2, 9500))))
    assert column.counts[: column.tail_cells[0]].sum() == 0


# Windows of whole rows, of numbers and of categories.

COLOURS = np.array(["red", "green", "blue", "grey", ""], dtype=object)


def mixed(
    rng: np.random.Generator, rows: int, colours: tuple[float, ...] = (0.5, 0.3, 0.2, 0, 0)
) -> dict[str, Any]:
    numbers = rng.normal(size=rows)
    numbers[rng.random(rows) < 0.05] = np.nan
    return {
        "a": numbers,
        "colour": rng.choice(COLOURS, size=rows, p=colours),
        "b": rng.integers(0, 5, rows).astype(float),
        "constant": np.full(rows, 7.0),
    }


def test_scores_of_categories_are_exact(engine: str) -> None:
    rng = np.random.default_rng(4)
    before = mixed(rng, 20_000, (0.5, 0.3, 0.19, 0.0, 0.01))["colour"]
    after = mixed(rng, 5000, (0.4, 0.3, 0.19, 0.06, 0.05))["colour"]
    s = scored(ReferenceMatrix([reference(before)]), {"x": after}, engine=engine, rng=rng)
    names = ["red", "green", "blue", "other", "grey", ""]
    r, c = ([int((side == name).sum()) for name in names] for side in (before, after))
    shares = [np.array(side) / sum(side) for side in (r, c)]
    assert s["psi"][0] == pytest.approx(exact_psi(r, c), abs=1e-9)
    assert s["js_distance"][0] == pytest.approx(jensenshannon(r, c, base=2), abs=1e-9)
    assert s["l_infinity"][0] == np.abs(shares[0] - shares[1]).max()
    assert s["missing_ratio"][0] == shares[1][5]
    assert s["unseen_ratio"][0] == shares[1][4]
    assert s["drifted"][0] == 1.0


def test_missing_and_unseen_shares_are_those_of_raw_rows() -> None:
    frame = ReferenceMatrix(
        references({"x": [1.0, 2.0, 3.0, None], "c": ["red", "red", "green", ""]})
    )
    window = {
        "x": [1.0] * 40 + [None, math.nan, "", math.inf, "text"] * 2 + [9.0] * 50,
        "c": ["red"] * 50 + ["blue", "pink"] * 10 + [None, "", math.nan, [], {}] * 6,
    }
    results = scored(frame, window)
    assert results["missing_ratio"] == pytest.approx([0.1, 0.3])
    assert results["unseen_ratio"] == pytest.approx([math.nan, 0.2], nan_ok=True)
    assert results["l_infinity"] == pytest.approx([math.nan, 0.25], nan_ok=True)


def test_columns_beside_each_other_score_as_they_do_alone() -> None:
    rng = np.random.default_rng(5)
    before, after = mixed(rng, 10_000), mixed(rng, 2000)
    after["b"][:] = np.nan
    frame = ReferenceMatrix(references(before))
    together = scored(frame, after)
    for j, column in enumerate(frame.references):
        alone = scored(ReferenceMatrix([column]), {column.name: after[column.name]})
        for name, values in together.items():
            assert values[j] == pytest.approx(alone[name][0], rel=1e-9, abs=1e-12, nan_ok=True)
    assert together["missing_ratio"][2] == 1.0
    assert together["drifted"].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_a_column_without_a_value_hides_no_other() -> None:
    rng = np.random.default_rng(2)
    frame = ReferenceMatrix(references({name: rng.normal(size=1000) for name in "abcd"}))
    window = {name: rng.normal(size=200) for name in "abcd"}
    whole, holed = scored(frame, window), scored(frame, {**window, "b": np.full(200, np.nan)})
    assert np.isnan([holed["ks_statistic"][1], holed["wasserstein_ratio"][1]]).all()
    for name in SCORES:
        np.testing.assert_array_equal(holed[name][[0, 2, 3]], whole[name][[0, 2, 3]])


def test_scores_and_thresholds_that_a_kind_lacks_are_absent() -> None:
    rng = np.random.default_rng(6)
    frame = ReferenceMatrix(references(mixed(rng, 1000)))
    results = scored(frame, mixed(rng, 1000))
    numeric, categorical = (
        {name for name, values in results.items() if not math.isnan(values[j])} for j in (0, 1)
    )
    both = {"psi", "js_distance", "missing_ratio", "drifted", "psi_threshold", "missing_threshold"}
    only_numeric = {"ks_statistic", "wasserstein_ratio", "tail_ratio"}
    assert numeric == both | only_numeric | {"ks_threshold", "tail_threshold"}
    assert categorical == both | {"l_infinity", "unseen_ratio", "unseen_threshold"}
    assert count_tests(frame) == 3 * 4 + 3


def test_every_score_and_threshold_is_absent_below_the_least_rows() -> None:
    rng = np.random.default_rng(6)
    frame = ReferenceMatrix(references(mixed(rng, 1000)))
    few, enough = (scored(frame, mixed(rng, rows)) for rows in (99, 100))
    assert few.keys() == enough.keys() == {*SCORES, *TESTS, "drifted"}
    assert all(np.isnan(values).all() for values in few.values())
    assert not np.isnan(enough["psi"]).any()
    assert set(enough["drifted"]) <= {0.0, 1.0}


def test_a_frame_without_rows_or_columns_has_no_scores() -> None:
    empty = ReferenceMatrix(())
    assert all(len(values) == 0 for values in scored(empty, {"x": np.ones(200)}).values())
    without_rows = ColumnReference(
        "x", NumericBins(np.empty(0), np.empty(0)), np.zeros(2, dtype=np.int64)
    )
    s = scored(ReferenceMatrix([without_rows]), {"x": np.ones(200)})
    assert all(np.isnan(values).all() for values in s.values())


def test_a_column_without_reference_rows_does_not_drift_beside_one_that_has() -> None:
    without_rows = ColumnReference(
        "x", NumericBins(np.empty(0), np.empty(0)), np.zeros(2, dtype=np.int64)
    )
    s = scored(
        ReferenceMatrix([without_rows, reference(np.arange(500.0))]), {"x": np.arange(500.0)}
    )
    assert s["drifted"].tolist() == [0.0, 0.0]
    assert np.isnan([s["psi"][0], s["ks_statistic"][0], s["missing_threshold"][0]]).all()


# Verdicts.


def test_each_test_alone_can_raise_the_flag() -> None:
    rng = np.random.default_rng(4)
    columns = {"x": rng.normal(size=20_000), "c": rng.choice(["a", "b"], 20_000)}
    frame = ReferenceMatrix(references(columns))
    same = {"x": columns["x"][:5000], "c": columns["c"][:5000]}

    def over(changed: Mapping[str, Any]) -> tuple[set[str], list[float]]:
        results = scored(frame, {**same, **changed}, policy=Policy(psi_floor=0.3))
        names = (n for n, t in TESTS.items() if (results[t.score] > results[n]).any())
        return set(names), results["drifted"].tolist()

    some, most = rng.random(5000) < 0.03, rng.random(5000) < 0.7
    assert over({}) == (set(), [0.0, 0.0])
    assert over({"x": np.where(some, np.nan, same["x"])}) == ({"missing_threshold"}, [1.0, 0.0])
    assert over({"c": np.where(some, "z", same["c"])}) == ({"unseen_threshold"}, [0.0, 1.0])
    assert over({"x": np.where(some, 9.0, same["x"])}) == ({"tail_threshold"}, [1.0, 0.0])
    assert over({"c": np.where(most, "a", same["c"])}) == ({"psi_threshold"}, [0.0, 1.0])
    assert over({"x": same["x"] + 0.4}) == ({"ks_threshold"}, [1.0, 0.0])


def test_a_tail_that_grows_fivefold_drifts() -> None:
    rng = np.random.default_rng(8)
    before, after = rng.normal(size=100_000), rng.normal(size=20_000)
    after[:200] = 5.0
    s = scored(ReferenceMatrix([reference(before)]), {"x": after})
    assert s["psi"][0] < s["psi_threshold"][0]
    assert s["tail_ratio"][0] > s["tail_threshold"][0]
    assert s["drifted"][0] == 1.0


def test_a_score_that_hovers_at_its_threshold_does_not_flap() -> None:
    rng = np.random.default_rng(9)
    frame = ReferenceMatrix([reference(rng.normal(size=100_000))])
    current = rng.normal(size=20_000)

    def missing(rows: int) -> Comparison:
        values = current.copy()
        values[:rows] = np.nan
        return Comparison(frame, sums_of(frame, {"x": values}), Policy(), LEVEL)

    bar = score(missing(0))["missing_threshold"][0]
    over, near, calm = (missing(int(bar * share * 20_000)) for share in (1.1, 0.85, 0.7))
    drifted = np.array([True])
    assert score(over)["drifted"][0] == 1.0
    assert score(near)["drifted"][0] == 0.0
    assert score(near, drifted)["drifted"][0] == 1.0
    assert score(calm, drifted)["drifted"][0] == 0.0


def test_fifty_windows_of_unchanged_rows_raise_no_alarm() -> None:
    rng = np.random.default_rng(10)
    columns = {
        "normal": rng.normal(size=20_000),
        "count": rng.poisson(1.0, 20_000).astype(float),
        "mostly_one": np.where(rng.random(20_000) < 0.001, math.nan, 1.0),
        "colour": rng.choice(["a", "b", "c"], 20_000, p=[0.9, 0.09, 0.01]),
    }
    frame = ReferenceMatrix(references(columns))
    for rows in [100, 200, 500, 1000, 5000] * 10:
        picked = rng.integers(0, 20_000, rows)
        window = {name: values[picked] for name, values in columns.items()}
        assert not scored(frame, window)["drifted"].any()


# Thresholds.


def test_thresholds_are_floors_where_rows_are_many() -> None:
    rng = np.random.default_rng(10)
    frame = ReferenceMatrix([reference(rng.normal(size=100_000))])
    s = scored(frame, {"x": rng.normal(size=100_000)})
    assert s["psi_threshold"][0] == 0.1
    assert s["ks_threshold"][0] == 0.1
    assert s["missing_threshold"][0] == pytest.approx(0.01, abs=1e-9)
    assert s["tail_threshold"][0] == pytest.approx(0.002 + 0.005, abs=5e-4)


def test_thresholds_follow_each_column_s_own_rows() -> None:
    """Merged references, and those of digests, have columns of different lengths."""
    rng = np.random.default_rng(5)
    few = rng.normal(size=500)
    holed = np.where(np.arange(500) % 2, math.nan, few)
    columns = [reference(values) for values in (rng.normal(size=50_000), few, holed)]
    window = {"x": rng.normal(size=5000)}
    together = scored(ReferenceMatrix(columns), window, policy=LOOSE)
    for j, column in enumerate(columns):
        alone = scored(ReferenceMatrix([column]), window, policy=LOOSE)
        for name in TESTS:
            assert together[name][j] == pytest.approx(alone[name][0], nan_ok=True)
    assert together["missing_threshold"][2] > 0.5


def test_the_ks_threshold_rises_with_the_reference_s_rank_error() -> None:
    column = reference(np.random.default_rng(6).normal(size=5000))
    blurred = ColumnReference(column.name, column.bins, column.counts, rank_error=0.2)
    window = {"x": np.random.default_rng(7).normal(size=1000)}
    exact, wide = (scored(ReferenceMatrix([c]), window, policy=LOOSE) for c in (column, blurred))
    assert wide["ks_threshold"] == pytest.approx(exact["ks_threshold"] + 0.2)


# Windows that come in parts.


def test_windows_of_eight_workers_score_as_one(distribution: Distribution) -> None:
    rng = np.random.default_rng(9)
    frame = ReferenceMatrix([reference(distribution.rows(rng, 20_000))])
    rows = distribution.changed_rows(rng, 8_000)
    one, merged = fed(frame, {"x": rows}, rng=rng).merged(0.0)[0], Tally(frame.layout)
    for part in np.split(rows, 8):
        merged.merge(fed(frame, {"x": part}, rng=rng).merged(0.0)[0])
    np.testing.assert_array_equal(merged.counts, one.counts)
    ours, theirs = (
        score(Comparison(frame, frame.sums(tally), Policy(), LEVEL)) for tally in (merged, one)
    )
    for name in {*SCORES} - {"wasserstein_ratio"}:
        np.testing.assert_array_equal(ours[name], theirs[name])
    gap = abs(ours["wasserstein_ratio"] - theirs["wasserstein_ratio"])[0]
    # Digests of a heavy tail depend on the order in which they are merged.
    allowed = 0.5 * theirs["wasserstein_ratio"][0] if distribution.is_heavy_tailed else 0.0
    assert gap < max(0.02, allowed) or distribution.name in ("constant", "tiny")


def test_totals_do_not_depend_on_batches() -> None:
    rng = np.random.default_rng(11)
    rows = mixed(rng, 4000)
    frame = ReferenceMatrix(references(rows))
    whole, parts = (fed(frame, rows, rng=batches).merged(0.0)[0] for batches in (None, rng))
    np.testing.assert_array_equal(whole.counts, parts.counts)
    np.testing.assert_array_equal(whole.invalid, parts.invalid)
    np.testing.assert_allclose(whole.sums, parts.sums)
    assert whole.rows == parts.rows == 4000


@pytest.mark.parametrize("reference_rows", [1000, 10_000])
@pytest.mark.parametrize("exponent", [1.3, 1.7])
def test_categories_with_a_long_tail_do_not_drift_while_new_ones_come_as_before(
    exponent: float, reference_rows: int
) -> None:
    rng = np.random.default_rng(4)

    def rows(count: int) -> list[str]:
        return [str(number) for number in rng.zipf(exponent, count)]

    frame = ReferenceMatrix(references({"c": rows(reference_rows)}, min_rows=10))
    windows = [scored(frame, {"c": rows(2000)}, level=1e-3) for _ in range(8)]
    assert max(window["psi"][0] for window in windows) < 0.1
    assert not any(window["drifted"][0] for window in windows)
    # Twice as many new categories as before are drift.
    more = scored(frame, {"c": [*rows(1000), *(f"new {i}" for i in range(1000))]})
    assert more["drifted"][0] == 1.0


def test_a_change_is_not_over_because_rows_become_fewer() -> None:
    rng = np.random.default_rng(12)
    frame = ReferenceMatrix([reference(rng.normal(size=100_000))])

    def drifted(rows: int, shift: float, *, before: bool) -> bool:
        sums = sums_of(frame, {"x": rng.normal(size=rows) + shift})
        results = score(Comparison(frame, sums, Policy(), LEVEL), np.array([before]))
        return bool(results["drifted"][0] == 1.0)

    # By night half a sd is mostly under the threshold of so few rows; nothing speaks for calm.
    assert sum(drifted(120, 0.5, before=False) for _ in range(20)) < 10
    assert all(drifted(120, 0.5, before=True) for _ in range(20))
    assert drifted(50, 0.5, before=True)
    # Unchanged rows end it: many at once, few before long.
    assert not any(drifted(2000, 0.0, before=True) for _ in range(5))
    assert sum(drifted(120, 0.0, before=True) for _ in range(40)) < 36


def test_few_rows_do_not_end_what_a_longer_window_still_sees() -> None:
    rng = np.random.default_rng(14)
    frame = ReferenceMatrix([reference(rng.normal(size=100_000))])

    def calm(rows: int, *, longer: bool) -> int:
        windows = [sums_of(frame, {"x": rng.normal(size=rows)}) for _ in range(20)]
        each = (Comparison(frame, sums, Policy(), LEVEL) for sums in windows)
        yes = np.array([True])
        return sum(score(c, yes, np.array([longer]))["drifted"][0] == 0.0 for c in each)

    assert calm(120, longer=False) > 2
    assert calm(120, longer=True) == 0
    # Rows that would see the change themselves decide alone, and nothing begins by it.
    assert calm(5000, longer=True) == 20
    sums = sums_of(frame, {"x": rng.normal(size=120)})
    unchanged = score(Comparison(frame, sums, Policy(), LEVEL), None, np.array([True]))
    assert unchanged["drifted"] == [0.0]


def test_a_window_is_judged_as_the_time_that_it_holds() -> None:
    rng = np.random.default_rng(13)
    column = reference(rng.normal(size=50_000))
    night = {"ks_statistic": Scatter(0.02, 40.0), "psi": Scatter(0.3, 40.0, 0.3)}
    varied = replace(column, variation={3600.0: night, 86400.0: {}})
    sums = sums_of(ReferenceMatrix([column]), {"x": rng.normal(size=2000) + 0.5})

    def verdict(of: ColumnReference, seconds: float) -> dict[str, Floats]:
        return score(Comparison(ReferenceMatrix([of]), sums, Policy(), LEVEL, seconds))

    full, plain = verdict(varied, 86400.0), verdict(column, 3600.0)
    for name in TESTS:
        np.testing.assert_array_equal(full[name], plain[name])
    filling = verdict(varied, 7200.0)
    assert full["drifted"] == [1.0]
    assert filling["drifted"] == [0.0]
    natural = natural_gap(0.02 * doubt(np.array([40.0]), LEVEL), LEVEL)[0]
    expected = math.hypot(math.sqrt(-math.log(LEVEL / 2) / 2 * (1 / 50_000 + 1 / 2000)), natural)
    assert filling["ks_threshold"][0] == pytest.approx(expected + column.rank_error)


def test_tails_may_vary_as_the_shape_does() -> None:
    rng = np.random.default_rng(14)
    column = reference(rng.normal(size=50_000))
    varied = replace(column, variation={3600.0: {"ks_statistic": Scatter(0.05, 40.0)}})
    window = {"x": np.concatenate((rng.normal(size=1960), np.full(40, 4.0)))}
    assert scored(ReferenceMatrix([column]), window)["drifted"][0] == 1.0
    calm = scored(ReferenceMatrix([varied]), window)
    assert calm["tail_ratio"][0] < calm["tail_threshold"][0]
