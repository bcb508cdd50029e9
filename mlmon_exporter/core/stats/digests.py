"""T-digests, on one of two engines that read each other's dictionaries.

A digest keeps the shape of a distribution in at most some hundred weighted centroids; digests of
parts merge into a digest of the whole. Source: Dunning and Ertl (2019), Computing Extremely
Accurate Quantiles Using t-Digests.

`fastdigest` is compiled and the default. `tdigest` is the pure-Python package that many training
jobs already use, some hundred times slower; its dictionary form is the one that we store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, Self

import fastdigest
import numpy as np
import tdigest
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import LARGEST

from .centroids import MOST_ROWS, check, quantiles_of, taken_together

Floats = NDArray[np.float64]

PANE_CENTROIDS = 80
REFERENCE_CENTROIDS = 200
MOST_CENTROIDS = 10_000
CLUSTERED_ROWS = 1024
"""So many values at most are summed up for a pane's digest before the engine gets them."""

_FORM = b"FASTDIG~" + (1).to_bytes(4, "little")
"""First bytes of the compiled engine's form, in the version that is read here."""
_FORM_HEADER = 80
"""Offset of the centroids in it, each a mean and a weight."""
_WIDTHS = (1, 2, 4)
"""Bytes that weights are packed into; no byte of these begins the engine's form."""


class Digest(Protocol):
    """A mergeable summary of finite values."""

    @property
    def rows(self) -> float:
        """Number of values that were added."""

    def add(self, values: Floats) -> None:
        """Add finite values, a 1-D array of any length."""

    @classmethod
    def of_ascending(cls, values: Floats) -> Self:
        """Return a pane's digest of finite values in ascending order."""

    def merge(self, other: Self) -> None:
        """Add all that `other` holds; `other` stays as it is."""

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Return the value below which each share (0 to 1) of the rows lies; NaN when empty."""

    def centroids(self) -> tuple[Floats, Floats]:
        """Return the centroids' means, ascending, and their weights."""

    def pack(self) -> None:
        """Shrink in memory, where the engine can; for a digest that is seldom added to."""

    def to_bytes(self) -> bytes:
        """Return the digest as bytes that the engine's `from_bytes` reads."""


class FastDigest:
    """A digest on the compiled engine.

    Packed, it is the bytes of its centroids, a fifth of its size in use; it unpacks itself.
    """

    __slots__ = ("_digest", "_packed")

    def __init__(self, centroids: int = PANE_CENTROIDS, packed: bytes = b"") -> None:
        self._digest: fastdigest.TDigest | None = None if packed else fastdigest.TDigest(centroids)
        self._packed = packed

    def _used(self) -> fastdigest.TDigest:
        if self._digest is None:
            return fastdigest.TDigest.from_bytes(_wide(self._packed))
        return self._digest

    def pack(self) -> None:
        if self._digest is not None:
            self._packed, self._digest = self._digest.to_bytes(), None
        self._packed = _narrow(self._packed)

    def to_bytes(self) -> bytes:
        return _wide(self._packed) if self._digest is None else self._digest.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> FastDigest:
        return cls.all_from_bytes([data])[0]

    @classmethod
    def all_from_bytes(cls, parts: Sequence[bytes]) -> list[FastDigest]:
        """Read many at once, which takes a third of the time."""
        # Now, not when it is needed: damaged bytes raise ValueError, or ask for endless room; what
        # is not finite would make the engine panic, which is no Exception.
        digests = [_decoded(data) for data in parts]
        if not _are_sound(digests, parts):
            raise ValueError("digest: expected finite centroids that hold all rows")
        return [cls(packed=data) for data in parts]

    @property
    def rows(self) -> float:
        return self._used().mass()

    def add(self, values: Floats) -> None:
        if len(values):
            self._digest = self._used()
            # A list, made for it, is read in half the time of an array.
            self._digest.batch_update(values.tolist())

    @classmethod
    def of_ascending(cls, values: Floats) -> FastDigest:
        digest = cls()
        if PANE_CENTROIDS < len(values) <= CLUSTERED_ROWS:
            # The engine's own centroids, summed up here in a quarter of its time.
            starts, sizes, weights = _clusters(len(values))
            means = np.add.reduceat(values, starts) / sizes
            digest._used().batch_update(means.tolist(), weights)
        else:
            digest.add(values)
        return digest

    def merge(self, other: FastDigest) -> None:
        self._digest = self._used()
        self._digest.merge_inplace(other._used())

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        digest = self._used()
        if digest.is_empty():
            return [np.nan] * len(shares)
        return digest.quantile_vec(shares)

    def centroids(self) -> tuple[Floats, Floats]:
        pairs = np.frombuffer(_centroids(self._used(), self.to_bytes()), "<f8").reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    @classmethod
    def from_centroids(cls, means: Floats, weights: Floats, centroids: int) -> FastDigest:
        digest = cls(centroids)
        if len(means):
            # A value with many rows is several centroids here: one alone would be read as a slope
            # to its neighbours.
            share = weights * centroids / weights.sum()
            parts = np.where(share > 4, np.ceil(share), 1).astype(np.intp)
            means, weights = np.repeat(means, parts), np.repeat(weights / parts, parts)
            digest._used().batch_update(means, weights)  # type: ignore[arg-type]
        return digest


@lru_cache(maxsize=128)
def _clusters(rows: int) -> tuple[NDArray[np.intp], Floats, list[float]]:
    """Return the first row, the size and again the size of each centroid of ascending values.

    Which values the engine takes together depends on their number alone. Of `CLUSTERED_ROWS` at
    most, the outermost stay alone, and no two centroids would fit into one: it keeps them.
    """
    digest = fastdigest.TDigest(PANE_CENTROIDS)
    digest.batch_update([*map(float, range(rows))])
    weights = [weight for _, weight in digest.centroids]
    sizes = np.array(weights)
    return (np.cumsum(sizes) - sizes).astype(np.intp), sizes, weights


def _narrow(data: bytes) -> bytes:
    """Return a digest's bytes with weights that are whole numbers in as few bytes as they need."""
    if not data.startswith(_FORM) or (len(data) - _FORM_HEADER) % 16:
        return data
    pairs = np.frombuffer(data, "<f8", offset=_FORM_HEADER).reshape(-1, 2)
    most = pairs[:, 1].max(initial=0.0)
    width = next((width for width in _WIDTHS if most < 256**width), 0)
    if not width:
        return data
    weights = pairs[:, 1].astype(f"<u{width}")
    if (weights != pairs[:, 1]).any():
        return data
    header, means = data[:_FORM_HEADER], pairs[:, 0].tobytes()
    return bytes([width]) + header + means + weights.tobytes()


def _wide(data: bytes) -> bytes:
    """Return the engine's bytes of a digest that `_narrow` has made smaller."""
    width, start = data[0], 1 + _FORM_HEADER
    if width not in _WIDTHS:
        return data
    count = (len(data) - start) // (8 + width)
    pairs = np.empty((count, 2), "<f8")
    pairs[:, 0] = np.frombuffer(data, "<f8", count, start)
    pairs[:, 1] = np.frombuffer(data, f"<u{width}", count, start + 8 * count)
    return data[1:start] + pairs.tobytes()


def _decoded(data: bytes) -> fastdigest.TDigest:
    try:
        digest = fastdigest.TDigest.from_bytes(data)
        centroids = digest.max_centroids
    except MemoryError:
        centroids = None
    if centroids is None or centroids > MOST_CENTROIDS:
        raise ValueError(f"digest: expected {MOST_CENTROIDS} centroids at most")
    return digest


def _centroids(digest: fastdigest.TDigest, data: bytes) -> bytes:
    """Return each mean and its weight, of a digest and of its bytes."""
    # Straight from the bytes, where they have the form that is known: that is ten times as fast.
    if data.startswith(_FORM) and len(data) == _FORM_HEADER + 16 * digest.n_centroids:
        return data[_FORM_HEADER:]
    return np.array(digest.centroids, dtype="<f8").tobytes()


def _are_sound(digests: Sequence[fastdigest.TDigest], parts: Sequence[bytes]) -> bool:
    numbers = np.frombuffer(b"".join(map(_centroids, digests, parts)), "<f8")
    means, weights = numbers[::2], numbers[1::2]
    # Means are LARGEST at most, but for rounding. What is NaN compares as False.
    if not (np.all(np.abs(means) < 2 * LARGEST) and np.all((weights > 0) & (weights <= MOST_ROWS))):
        return False
    owners = np.repeat(np.arange(len(digests)), [digest.n_centroids for digest in digests])
    sums = np.bincount(owners, weights, len(digests))
    rows = np.array([digest.mass() for digest in digests])
    return bool(np.all(np.abs(sums - rows) <= 1e-6 * sums))


class PureDigest:
    """A digest on the pure-Python engine.

    The engine makes a digest of each batch of values. Those are taken together here: the engine
    does so one centroid after the other, which takes a hundred times as long.
    """

    __slots__ = ("_means", "_spread", "_weights")

    def __init__(self, centroids: int = PANE_CENTROIDS) -> None:
        self._spread = 1.0 / centroids
        self._means = self._weights = np.empty(0)

    def pack(self) -> None:
        pass

    def to_bytes(self) -> bytes:
        return np.concatenate(self.centroids()).astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> PureDigest:
        means, weights = np.frombuffer(data, "<f8").reshape(2, -1)
        check(means, weights)
        return cls.from_centroids(means, weights, PANE_CENTROIDS)

    @classmethod
    def all_from_bytes(cls, parts: Sequence[bytes]) -> list[PureDigest]:
        return [cls.from_bytes(data) for data in parts]

    @property
    def rows(self) -> float:
        return float(self._weights.sum())

    def add(self, values: Floats) -> None:
        if len(values):
            batch = tdigest.TDigest(delta=self._spread)
            # In a fixed shuffled order: the engine keeps far more centroids of sorted input.
            order = np.random.default_rng(0).permutation(len(values))
            batch.batch_update(values[order].tolist())
            pairs = [(pair["m"], pair["c"]) for pair in batch.centroids_to_list()]
            self._take(*np.array(pairs, dtype=np.float64).T)

    @classmethod
    def of_ascending(cls, values: Floats) -> PureDigest:
        digest = cls()
        digest.add(values)
        return digest

    def merge(self, other: PureDigest) -> None:
        self._take(*other.centroids())

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        return quantiles_of(*self.centroids(), shares, self._spread)

    def centroids(self) -> tuple[Floats, Floats]:
        return self._means, self._weights

    @classmethod
    def from_centroids(cls, means: Floats, weights: Floats, centroids: int) -> PureDigest:
        digest = cls(centroids)
        digest._take(means, weights)
        return digest

    def _take(self, means: Floats, weights: Floats) -> None:
        self._means, self._weights = taken_together(
            np.concatenate((self._means, means)),
            np.concatenate((self._weights, weights)),
            self._spread,
        )


ENGINES: Mapping[str, type[FastDigest] | type[PureDigest]] = {
    "fastdigest": FastDigest,
    "tdigest": PureDigest,
}


def of_engine(
    kind: type[FastDigest] | type[PureDigest], digest: FastDigest | PureDigest
) -> FastDigest | PureDigest:
    """Return a digest in another engine's form: state on disk may be older than `digest`."""
    if type(digest) is kind:
        return digest
    return kind.from_centroids(*digest.centroids(), PANE_CENTROIDS)


def to_dict(digest: Digest, delta: float = 1.0 / REFERENCE_CENTROIDS) -> dict[str, Any]:
    """Return the dictionary form of the `tdigest` package, which both engines read."""
    means, weights = digest.centroids()
    pairs = zip(means.tolist(), weights.tolist(), strict=True)
    return {
        "n": float(weights.sum()),
        "delta": delta,
        "K": 25,
        "centroids": [{"m": mean, "c": weight} for mean, weight in pairs],
    }


def from_dict(form: Mapping[str, Any], engine: str, centroids: int) -> FastDigest | PureDigest:
    """Read the dictionary form; raises ValueError where a centroid is not finite or weightless."""
    return ENGINES[engine].from_centroids(*centroids_of(form), centroids)


def centroids_of(form: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """Read means, ascending, and weights from the dictionary form; raises as `from_dict` does."""
    try:
        pairs = [(float(pair["m"]), float(pair["c"])) for pair in form["centroids"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"digest: expected centroids of m and c, got {error!r}") from error
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    check(*table.T)
    table = table[np.argsort(table[:, 0], kind="stable")]
    return np.clip(table[:, 0], -LARGEST, LARGEST), table[:, 1]
