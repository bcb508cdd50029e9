"""Facts about the digests of both engines."""

from __future__ import annotations

import math
import struct
from typing import Any

import fastdigest
import numpy as np
import pytest
import tdigest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmon_exporter.core.stats import digests
from mlmon_exporter.core.stats.centroids import MOST_ROWS
from mlmon_exporter.core.stats.digests import (
    CLUSTERED_ROWS,
    ENGINES,
    PANE_CENTROIDS,
    REFERENCE_CENTROIDS,
    FastDigest,
    PureDigest,
    centroids_of,
    from_dict,
    to_dict,
)
from tests.core.distributions import Distribution, Floats

AnyDigest = FastDigest | PureDigest
SHARES = tuple((np.arange(99) + 1) / 100)
VALUES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6))


def digest_of(engine: str, values: Floats, centroids: int = PANE_CENTROIDS) -> AnyDigest:
    digest = ENGINES[engine](centroids)
    digest.add(values)
    return digest


def rank_error(digest: AnyDigest, values: Floats) -> float:
    """How far, at most, the ranks of the digest's quantiles are from what was asked for."""
    ordered = np.sort(values)
    got = np.array(digest.quantiles(SHARES))
    # A little aside, for quantiles that rounding has put next to an atom.
    aside = 1e-12 * np.abs(got)
    low = np.searchsorted(ordered, got - aside, "left") / len(values)
    high = np.searchsorted(ordered, got + aside, "right") / len(values)
    return float(np.max(np.maximum(low - SHARES, SHARES - high)))


def rank_error_bound(engine: str, values: Floats) -> float:
    """About half of the rows that one of 80 centroids may have.

    Where values repeat, the compiled engine has quantiles between them, that no row has.
    """
    has_ties = len(np.unique(values)) < len(values)
    return 0.05 if has_ties and engine == "fastdigest" else 0.02


def test_an_empty_digest_knows_nothing(engine: str) -> None:
    digest = digest_of(engine, np.empty(0))
    assert digest.rows == 0
    assert all(math.isnan(value) for value in digest.quantiles([0.0, 0.5, 1.0]))
    assert [len(part) for part in digest.centroids()] == [0, 0]


def test_a_digest_of_one_value_is_that_value(engine: str) -> None:
    digest = digest_of(engine, np.array([3.5]))
    assert digest.rows == 1
    assert digest.quantiles([0.0, 0.3, 1.0]) == [3.5, 3.5, 3.5]


@pytest.mark.slow
def test_quantiles_have_the_ranks_that_were_asked_for(
    engine: str, distribution: Distribution
) -> None:
    values = distribution.rows(np.random.default_rng(1), 2000)
    digest = ENGINES[engine]()
    for part in np.split(values, 4):
        digest.add(part)
    assert digest.rows == 2000
    assert rank_error(digest, values) < rank_error_bound(engine, values)


@pytest.mark.slow
def test_merged_parts_are_as_good_as_the_whole(engine: str, distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(2), 2000)
    merged = ENGINES[engine]()
    for part in np.split(values, 8):
        merged.merge(digest_of(engine, part))  # type: ignore[arg-type]
    assert merged.rows == 2000
    assert rank_error(merged, values) < rank_error_bound(engine, values)


def test_merging_leaves_the_other_as_it_is(engine: str) -> None:
    ours, theirs = (digest_of(engine, np.arange(n, n + 500.0)) for n in (0, 100))
    before = theirs.quantiles(SHARES)
    ours.merge(theirs)  # type: ignore[arg-type]
    assert (ours.rows, theirs.rows) == (1000, 500)
    assert theirs.quantiles(SHARES) == before


@settings(max_examples=30)
@given(VALUES, st.sampled_from(list(ENGINES)))
def test_quantiles_rise_within_the_range(values: Floats, engine: str) -> None:
    got = digest_of(engine, values).quantiles([0.0, *SHARES, 1.0])
    slack = 1e-9 * (1 + np.abs(values).max())
    assert np.all(np.diff(got) >= -slack)
    assert values.min() - slack <= got[0]
    assert got[-1] <= values.max() + slack


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_the_pure_engine_takes_no_more_rows_together_than_its_law_allows(
    parts: list[Floats],
) -> None:
    merged = PureDigest(PANE_CENTROIDS)
    for part in parts:
        merged.merge(digest_of("tdigest", part))  # type: ignore[arg-type]
    means, rows = merged.centroids()
    values, counts = np.unique(np.concatenate(parts), return_counts=True)
    assert (np.diff(means) > 0).all()
    assert merged.rows == sum(map(len, parts))
    shares = (np.cumsum(rows) - rows / 2) / merged.rows
    allowed = 4 / PANE_CENTROIDS * shares * (1 - shares) * merged.rows
    # Equal values are never parted.
    is_one_value = np.isin(means, values) & (
        rows == counts[np.searchsorted(values, means) % len(values)]
    )
    assert (is_one_value | (rows <= allowed * (1 + 1e-9))).all()


def test_few_different_values_are_told_apart(engine: str) -> None:
    digest = digest_of(engine, np.repeat([1.0, 2.0, 10.0], [300, 500, 200]))
    expected = [1.0, 1.0, 2.0, 2.0, 10.0, 10.0]
    assert digest.quantiles([0.0, 0.28, 0.32, 0.78, 0.82, 1.0]) == pytest.approx(expected)


def test_a_packed_digest_is_the_same_digest(engine: str) -> None:
    values = np.random.default_rng(3).normal(size=1000)
    packed, plain = digest_of(engine, values), digest_of(engine, values)
    quantiles, centroids = packed.quantiles(SHARES), packed.centroids()
    packed.pack()
    packed.pack()
    assert packed.rows == 1000
    assert packed.quantiles(SHARES) == quantiles
    np.testing.assert_array_equal(packed.centroids(), centroids)
    for digest in (packed, plain):
        digest.add(values + 1)
    packed.pack()
    plain.merge(packed)  # type: ignore[arg-type]
    packed.merge(digest_of(engine, values))  # type: ignore[arg-type]
    assert (packed.rows, plain.rows) == (3000, 4000)


@pytest.mark.parametrize("rows", [0, 1, 200, 5_000, 300_000])
def test_packing_changes_no_byte_that_is_written(rows: int) -> None:
    values = np.random.default_rng(0).standard_normal(rows)
    digest = FastDigest()
    digest.add(values)
    written = digest.to_bytes()
    digest.pack()
    assert digest.to_bytes() == written
    if rows >= 200:  # weights of one or two bytes, not of eight
        assert len(digest._packed) < 0.68 * len(written)


@given(st.lists(st.floats(0.001, 1e12), min_size=1, max_size=40))
def test_so_it_does_whatever_the_weights_are(weights: list[float]) -> None:
    means = np.arange(float(len(weights)))
    digest = FastDigest.from_centroids(means, np.array(weights), PANE_CENTROIDS)
    written = digest.to_bytes()
    digest.pack()
    assert digest.to_bytes() == written


def test_an_empty_digest_can_be_packed(engine: str) -> None:
    digest = digest_of(engine, np.empty(0))
    digest.pack()
    assert digest.rows == 0
    digest.add(np.array([1.0]))
    assert digest.quantiles([0.5]) == [1.0]


@pytest.mark.parametrize("other", ENGINES)
def test_each_engine_reads_what_the_other_wrote(engine: str, other: str) -> None:
    values = np.random.default_rng(4).lognormal(size=2000)
    written = digest_of(engine, values, REFERENCE_CENTROIDS)
    read = from_dict(to_dict(written), other, REFERENCE_CENTROIDS)
    assert read.rows == 2000
    assert rank_error(read, values) < 0.01


def test_the_tdigest_package_reads_what_we_wrote(engine: str) -> None:
    values = np.random.default_rng(5).normal(size=1000)
    theirs = tdigest.TDigest()
    theirs.update_from_dict(to_dict(digest_of(engine, values)))
    assert theirs.n == 1000
    assert theirs.percentile(50) == pytest.approx(np.median(values), abs=0.05)


def test_values_near_the_largest_keep_their_quantiles(engine: str) -> None:
    digest = digest_of(engine, np.array([-1e300, 1e300] * 500))
    digest.merge(digest_of(engine, np.full(1000, 1e300)))  # type: ignore[arg-type]
    assert digest.quantiles([0.1, 0.9]) == pytest.approx([-1e300, 1e300])


DAMAGED: dict[str, Any] = {
    "no centroids": {},
    "no list": {"centroids": 3},
    "no pairs": {"centroids": [1.0, 2.0]},
    "no weight": {"centroids": [{"m": 1.0}]},
    "text": {"centroids": [{"m": "a", "c": 1.0}]},
    "null": {"centroids": [{"m": None, "c": 1.0}]},
    "infinite": {"centroids": [{"m": math.inf, "c": 1.0}]},
    "weightless": {"centroids": [{"m": 1.0, "c": 0.0}]},
    "no object": 7,
}


@pytest.mark.parametrize("form", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_dictionary_is_refused(engine: str, form: Any) -> None:
    with pytest.raises(ValueError, match=r"digest: expected|could not convert"):
        from_dict(form, engine, 100)


def test_a_dictionary_of_the_most_rows_can_be_written_and_read_again(engine: str) -> None:
    form = {"centroids": [{"m": 1.0, "c": 1.0}, {"m": 2.0, "c": MOST_ROWS}]}
    once = from_dict(form, engine, 200)
    again = from_dict(to_dict(once), engine, 200)
    assert again.rows == pytest.approx(MOST_ROWS)
    with pytest.raises(ValueError, match="digest: expected"):
        from_dict({"centroids": [{"m": 1.0, "c": 1.001 * MOST_ROWS}]}, engine, 200)


def test_centroids_are_read_in_order() -> None:
    form = {"centroids": [{"m": 2.0, "c": 1.0}, {"m": 1.0, "c": 3.0}]}
    means, weights = centroids_of(form)
    assert (means.tolist(), weights.tolist()) == ([1.0, 2.0], [3.0, 1.0])


@pytest.mark.parametrize("centroids", [20_000, 2**40])
def test_bytes_that_ask_for_endless_room_are_refused(centroids: int) -> None:
    digest = FastDigest()
    digest.add(np.arange(100.0))
    data = digest.to_bytes()
    size = struct.pack("<Q", PANE_CENTROIDS)
    assert data.count(size) == 1
    with pytest.raises(ValueError, match="expected 10000 centroids at most"):
        FastDigest.from_bytes(data.replace(size, struct.pack("<Q", centroids)))


@pytest.fixture(params=["known", "other"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the engine's bytes have the form that is known, or one of a later release."""
    if request.param == "other":
        monkeypatch.setattr(digests, "_FORM", b"of another release")


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("rows", [0, 1, 50, 5000])
def test_centroids_are_those_of_the_engine(rows: int) -> None:
    digest = digest_of("fastdigest", np.random.default_rng(6).normal(size=rows))
    data = digest.to_bytes()
    assert (
        list(zip(*digest.centroids(), strict=True)) == fastdigest.TDigest.from_bytes(data).centroids
    )
    assert FastDigest.from_bytes(data).to_bytes() == data


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("damage", [math.nan, math.inf, -math.inf, 1.7e308, -1.7e308])
@pytest.mark.parametrize("place", [0, 40, 79], ids=["first", "middle", "last"])
@pytest.mark.parametrize("of", [0, 8], ids=["mean", "weight"])
def test_bytes_with_a_damaged_centroid_are_refused(damage: float, place: int, of: int) -> None:
    data = bytearray(digest_of("fastdigest", np.random.default_rng(7).normal(size=2000)).to_bytes())
    start = len(data) - 16 * PANE_CENTROIDS + 16 * place + of
    data[start : start + 8] = struct.pack("<d", damage)
    with pytest.raises(ValueError, match="expected finite centroids that hold all rows"):
        FastDigest.from_bytes(bytes(data))


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("weights", [(-1.0, 3.0), (0.0, 2.0), (1.0, 2.0), (1e308, 1e308)])
def test_bytes_with_weights_that_are_not_rows_are_refused(weights: tuple[float, float]) -> None:
    data = bytearray(digest_of("fastdigest", np.array([1.0, 2.0])).to_bytes())
    data[-24:-16], data[-8:] = (struct.pack("<d", weight) for weight in weights)
    if math.isinf(sum(weights)):
        data[28:36] = struct.pack("<d", math.inf)
    with pytest.raises(ValueError, match="expected finite centroids that hold all rows"):
        FastDigest.from_bytes(bytes(data))


@pytest.mark.usefixtures("form")
def test_one_damaged_digest_among_many_is_seen() -> None:
    rng = np.random.default_rng(8)
    parts = [digest_of("fastdigest", rng.normal(size=n)).to_bytes() for n in (0, 3, 900, 0, 5, 0)]
    assert [digest.to_bytes() for digest in FastDigest.all_from_bytes(parts)] == parts
    # What one has too few another has too many: each is held to its own rows.
    parts[1] = parts[1][:-8] + struct.pack("<d", 2.0)
    parts[4] = parts[4][:-8] + struct.pack("<d", 0.5)
    with pytest.raises(ValueError, match="expected finite centroids that hold all rows"):
        FastDigest.all_from_bytes(parts)


@pytest.mark.parametrize("rows", [math.nan, math.inf, -math.inf, -5.0, 0.0])
def test_bytes_of_other_rows_than_their_centroids_are_refused(rows: float) -> None:
    data = digest_of("fastdigest", np.arange(5.0)).to_bytes()
    mass = struct.pack("<d", 5.0)
    assert data.count(mass) == 1
    with pytest.raises(ValueError, match="expected finite centroids that hold all rows"):
        FastDigest.from_bytes(data.replace(mass, struct.pack("<d", rows)))


@pytest.mark.parametrize(
    "rows", [0, 1, PANE_CENTROIDS, PANE_CENTROIDS + 1, 300, CLUSTERED_ROWS - 1]
)
@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_ascending_values_have_the_centroids_that_the_engine_makes_of_them(
    rows: int, decimals: int
) -> None:
    values = np.sort(np.random.default_rng(rows).standard_cauchy(rows).round(decimals))
    made, known = FastDigest.of_ascending(values), digest_of("fastdigest", values)
    for ours, theirs in zip(made.centroids(), known.centroids(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
