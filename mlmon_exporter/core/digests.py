"""The t-digest behind a few verbs, with two engines that read each other's dictionaries.

A digest keeps the shape of a distribution in at most some hundred weighted centroids; digests of
parts merge into a digest of the whole. Source: Dunning and Ertl (2019), Computing Extremely
Accurate Quantiles Using t-Digests.

`fastdigest` is compiled and the default. `tdigest` is the pure-Python package that many training
jobs already use, some hundred times slower; its dictionary form is the one that we store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import fastdigest
import numpy as np
import tdigest
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PANE_CENTROIDS = 80
REFERENCE_CENTROIDS = 200


class Digest(Protocol):
    """A mergeable summary of finite values."""

    @property
    def rows(self) -> float:
        """How many values were added."""

    def add(self, values: Floats) -> None:
        """Add finite values, a 1-D array of any length."""

    def merge(self, other: Self) -> None:
        """Add all that `other` holds; `other` stays as it is."""

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Return the value below which each share (0 to 1) of the rows lies; NaN when empty."""

    def centroids(self) -> tuple[Floats, Floats]:
        """Return the centroids' means, ascending, and their weights."""

    def pack(self) -> None:
        """Take less room, where the engine can; for a digest that is seldom added to."""


class FastDigest:
    """A digest on the compiled engine.

    Packed, it is the bytes of its centroids, a third of its size in use; it unpacks itself.
    """

    __slots__ = ("_digest", "_packed")

    def __init__(self, centroids: int = PANE_CENTROIDS) -> None:
        self._digest: fastdigest.TDigest | None = fastdigest.TDigest(centroids)
        self._packed = b""

    def _used(self) -> fastdigest.TDigest:
        if self._digest is None:
            return fastdigest.TDigest.from_bytes(self._packed)
        return self._digest

    def pack(self) -> None:
        if self._digest is not None:
            self._packed, self._digest = self._digest.to_bytes(), None

    @property
    def rows(self) -> float:
        return self._used().mass()

    def add(self, values: Floats) -> None:
        if len(values):
            self._digest = self._used()
            self._digest.batch_update(values)  # type: ignore[arg-type]

    def merge(self, other: FastDigest) -> None:
        self._digest = self._used()
        self._digest.merge_inplace(other._used())

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        digest = self._used()
        if digest.is_empty():
            return [np.nan] * len(shares)
        return digest.quantile_vec(shares)

    def centroids(self) -> tuple[Floats, Floats]:
        pairs = np.array(self._used().centroids, dtype=np.float64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    @classmethod
    def from_centroids(cls, means: Floats, weights: Floats, centroids: int) -> FastDigest:
        digest = cls(centroids)
        if len(means):
            digest._used().batch_update(means, weights)  # type: ignore[arg-type]
        return digest


class PureDigest:
    """A digest on the pure-Python engine."""

    __slots__ = ("_digest",)

    def __init__(self, centroids: int = PANE_CENTROIDS) -> None:
        self._digest = tdigest.TDigest(delta=1.0 / centroids)

    def pack(self) -> None:
        pass

    @property
    def rows(self) -> float:
        return float(self._digest.n)

    def add(self, values: Floats) -> None:
        if len(values):
            # In a fixed shuffled order: the engine keeps far more centroids of sorted input.
            order = np.random.default_rng(0).permutation(len(values))
            self._digest.batch_update(values[order].tolist())

    def merge(self, other: PureDigest) -> None:
        for mean, weight in zip(*other.centroids(), strict=True):
            self._digest.update(float(mean), float(weight))
        self._digest.compress()

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        return quantiles_of(*self.centroids(), shares)

    def centroids(self) -> tuple[Floats, Floats]:
        pairs = self._digest.centroids_to_list()
        return (
            np.array([pair["m"] for pair in pairs], dtype=np.float64),
            np.array([pair["c"] for pair in pairs], dtype=np.float64),
        )

    @classmethod
    def from_centroids(cls, means: Floats, weights: Floats, centroids: int) -> PureDigest:
        digest = cls(centroids)
        for mean, weight in zip(means.tolist(), weights.tolist(), strict=True):
            digest._digest.update(mean, weight)
        return digest


ENGINES: Mapping[str, type[FastDigest] | type[PureDigest]] = {
    "fastdigest": FastDigest,
    "tdigest": PureDigest,
}


def quantiles_of(means: Floats, weights: Floats, shares: Sequence[float]) -> list[float]:
    """Return the value at each share (0 to 1), between the centroids' mid-ranks; NaN when empty."""
    if not len(means):
        return [np.nan] * len(shares)
    ranks = np.cumsum(weights) - weights / 2
    wanted = np.asarray(shares) * weights.sum()
    return [float(value) for value in np.interp(wanted, ranks, means)]


def cdf_of(means: Floats, weights: Floats, points: Floats) -> Floats:
    """Return the share of rows at or below each point, between the centroids' mid-ranks."""
    ranks = np.cumsum(weights) - weights / 2
    total = weights.sum()
    shares = np.interp(points, means, ranks, left=0.0, right=total) / total
    # Ends: all of a single-row extreme centroid lies at its mean, not half of it.
    return np.asarray(np.where(points >= means[-1], 1.0, shares), dtype=np.float64)


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
    try:
        pairs = [(float(pair["m"]), float(pair["c"])) for pair in form["centroids"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"digest: expected centroids of m and c, got {error!r}") from error
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(table).all() or (table[:, 1] <= 0).any():
        raise ValueError("digest: expected finite centroids with weights over 0")
    table = table[np.argsort(table[:, 0], kind="stable")]
    return ENGINES[engine].from_centroids(table[:, 0], table[:, 1], centroids)
