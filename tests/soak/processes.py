"""Made-up features whose rows depend on each other in time, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .streams import DAY

Floats = NDArray[np.float64]
Process = Callable[[Floats, np.random.Generator], NDArray[Any]]
"""Takes the times of rows in seconds, ascending, and randomness; returns a value for each."""
HOUR = 3600.0
NIGHT_HOURS = 7


def times_of_rows(days: float, rows_a_day: float, rng: np.random.Generator) -> Floats:
    """Return times of rows, ascending: by day four times as many as by night."""
    kept = 1 - 0.75 * NIGHT_HOURS / 24
    times = np.sort(rng.uniform(0, days * DAY, rng.poisson(days * rows_a_day / kept)))
    return times[rng.random(len(times)) < np.where(_is_night(times), 0.25, 1.0)]


def _is_night(times: Floats) -> NDArray[np.bool_]:
    return np.asarray(times % DAY < NIGHT_HOURS * HOUR)


def autoregressive(rho: float) -> Process:
    """Each row is like the one before: AR(1) of variance 1."""

    def process(times: Floats, rng: np.random.Generator) -> Floats:
        from scipy.signal import lfilter

        noise = rng.standard_normal(len(times)) * math.sqrt(1 - rho**2)
        noise[:1] /= math.sqrt(1 - rho**2)
        return np.asarray(lfilter([1], [1, -rho], noise))

    return process


def spans_differ(seconds: float, sd: float) -> Process:
    """The mean of each span, a day or an hour, is another one."""

    def process(times: Floats, rng: np.random.Generator) -> Floats:
        span = (times // seconds).astype(np.int64)
        means = sd * rng.standard_normal(span[-1] + 1)
        return np.asarray(rng.standard_normal(len(times)) + means[span])

    return process


def moved(when: Callable[[Floats], NDArray[np.bool_]], sd: float, factor: float = 1.0) -> Process:
    """At some times values are shifted, and scaled."""

    def process(times: Floats, rng: np.random.Generator) -> Floats:
        x = rng.standard_normal(len(times))
        return np.where(when(times), factor * x + sd, x)

    return process


def bursts(times: Floats, rng: np.random.Generator) -> Floats:
    """One user's 50 rows, one after another, are alike."""
    user = rng.standard_normal(len(times) // 50 + 1)[np.arange(len(times)) // 50]
    own = rng.standard_normal(len(times))
    return np.asarray(math.sqrt(0.8) * user + math.sqrt(0.2) * own)


def walk(times: Floats, rng: np.random.Generator) -> Floats:
    """A mean that walks at random, 0.03 sd an hour: what comes of it is drift."""
    steps = np.cumsum(0.03 * rng.standard_normal(int(times[-1] // HOUR) + 1))
    return rng.standard_normal(len(times)) + steps[(times // HOUR).astype(np.int64)]


def zipf(exponent: float) -> Process:
    """Categories with a long tail; rows are independent."""
    return lambda times, rng: np.asarray(rng.zipf(exponent, len(times)).astype(str))


PROCESSES: Mapping[str, Process] = {
    "independent": lambda times, rng: rng.standard_normal(len(times)),
    "AR(1) .5": autoregressive(0.5),
    "AR(1) .9": autoregressive(0.9),
    "AR(1) .99": autoregressive(0.99),
    "AR(1) .999": autoregressive(0.999),
    "days differ by .3 sd": spans_differ(DAY, 0.3),
    "hours differ by .5 sd": spans_differ(HOUR, 0.5),
    "weekends +1 sd": moved(lambda times: times // DAY % 7 >= 5, 1.0),
    "nights +1.5 sd": moved(_is_night, 1.5),
    "nights twice as wide": moved(_is_night, 0.0, 2.0),
    "bursts of 50 alike": bursts,
    "Zipf 1.3": zipf(1.3),
    "Zipf 1.7": zipf(1.7),
    "random walk": walk,
}
"""Name -> how a feature comes about."""
