"""Generated distributions, each with a changed variant, that every score is held against.

They are what sketches and bins go wrong on: atoms, ties, gaps, tails without moments, constants,
magnitudes near the ends of double precision, and offsets that swallow most of its digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Generate = Callable[[np.random.Generator, int], Floats]


class Distribution(NamedTuple):
    """How rows are made, unchanged and changed, and what may be expected of their scores."""

    name: str
    rows: Generate
    changed_rows: Generate
    is_discrete: bool = False
    """Few enough values for a cell each: the Kolmogorov-Smirnov statistic is exact."""
    is_heavy_tailed: bool = False
    """A few rows in a thousand decide on the standard deviation and the Wasserstein distance."""


def drawn(method: str, *parameters: float) -> Generate:
    """Rows from a method of NumPy's generators."""
    return lambda rng, n: np.asarray(getattr(rng, method)(*parameters, n), dtype=np.float64)


def mixed(share: float, rows: Generate, others: Generate) -> Generate:
    """Rows of which a share comes from elsewhere."""
    return lambda rng, n: np.where(rng.random(n) < share, others(rng, n), rows(rng, n))


def moved(rows: Generate, by: float) -> Generate:
    return lambda rng, n: rows(rng, n) + by


def capped(rows: Generate, cap: float) -> Generate:
    return lambda rng, n: np.minimum(rows(rng, n), cap)


def constant(value: float) -> Generate:
    return lambda rng, n: np.full(n, value)


def prices(mean: float) -> Generate:
    """Prices in cents, of which a third ends in 99."""
    gamma = drawn("gamma", 2.0, mean / 2)
    ending_in_99 = mixed(0.3, gamma, lambda rng, n: np.floor(gamma(rng, n)) + 0.99)
    return lambda rng, n: np.round(ending_in_99(rng, n), 2)


def bimodal(share: float) -> Generate:
    return mixed(share, drawn("normal", -5.0, 1.0), drawn("normal", 5.0, 0.5))


NORMAL, CAUCHY = drawn("normal", 10.0, 2.0), drawn("standard_cauchy")
LOGNORMAL, ZERO, TENTH = drawn("lognormal", 0.0, 2.0), constant(0.0), constant(0.1)
A_DAY_OF_SECONDS = drawn("uniform", 1.7e9, 1.7e9 + 86400)

_ALL = (
    Distribution("uniform", drawn("random"), drawn("beta", 0.7, 1.0)),
    Distribution("normal", NORMAL, moved(NORMAL, 1.0)),
    Distribution("exponential", drawn("exponential", 3.0), drawn("exponential", 4.0)),
    Distribution("lognormal", LOGNORMAL, drawn("lognormal", 0.5, 2.0), is_heavy_tailed=True),
    Distribution("pareto", drawn("pareto", 1.0), drawn("pareto", 0.7), is_heavy_tailed=True),
    Distribution("cauchy", CAUCHY, moved(CAUCHY, 0.5), is_heavy_tailed=True),
    Distribution("bimodal", bimodal(0.5), bimodal(0.7)),
    Distribution("arcsine", drawn("beta", 0.5, 0.5), drawn("beta", 0.5, 0.8)),
    Distribution("zero_or_one", drawn("binomial", 1, 0.3), drawn("binomial", 1, 0.5), True),
    Distribution("poisson", drawn("poisson", 4.0), drawn("poisson", 5.0), is_discrete=True),
    Distribution("geometric", drawn("geometric", 0.2), drawn("geometric", 0.3), is_discrete=True),
    Distribution("a_thousand_integers", drawn("integers", 0, 1000), drawn("integers", 200, 1100)),
    Distribution("prices", prices(20.0), prices(25.0)),
    Distribution(
        "zero_inflated",
        mixed(0.6, LOGNORMAL, ZERO),
        mixed(0.4, LOGNORMAL, ZERO),
        is_heavy_tailed=True,
    ),
    Distribution(
        "capped", capped(drawn("exponential", 1.0), 2.0), capped(drawn("exponential", 1.4), 2.0)
    ),
    Distribution("constant", TENTH, mixed(0.2, TENTH, constant(0.3)), is_discrete=True),
    Distribution("timestamps", A_DAY_OF_SECONDS, moved(A_DAY_OF_SECONDS, 21600.0)),
    Distribution("tiny", drawn("lognormal", -690.0, 1.0), drawn("lognormal", -689.7, 1.0)),
)

DISTRIBUTIONS: Mapping[str, Distribution] = {made.name: made for made in _ALL}
