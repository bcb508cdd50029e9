"""Scores of rows over a fleet by NumPy and SciPy, by other formulas than the rules use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

Floats = NDArray[np.float64]


def psi(reference: Floats, current: Floats) -> float:
    r = (reference + 0.5) / (reference + 0.5).sum()
    c = (current + 0.5) / (current + 0.5).sum()
    return float(np.sum(c * np.log(c / r)) + np.sum(r * np.log(r / c)))


def psi_noise(reference: Floats, current: Floats) -> float:
    k, z = len(reference) - 1, 3.0902
    quantile = k * (1 - 2 / (9 * k) + z * np.sqrt(2 / (9 * k))) ** 3
    return float(quantile * (1 / current.sum() + 1 / reference.sum()))


def js_distance(reference: Floats, current: Floats) -> float:
    return float(jensenshannon(reference, current, base=2))


def hellinger_distance(reference: Floats, current: Floats) -> float:
    gaps = np.sqrt(reference / reference.sum()) - np.sqrt(current / current.sum())
    return float(np.linalg.norm(gaps) / np.sqrt(2))


def ks_statistic(reference: Floats, current: Floats) -> float:
    """The last bin counts rows without a value, which have no place in the order."""
    r, c = reference[:-1], current[:-1]
    if not c.sum():
        return np.nan
    return float(np.abs(np.cumsum(r) / r.sum() - np.cumsum(c) / c.sum()).max())


def l_infinity(reference: Floats, current: Floats) -> float:
    return float(np.abs(reference / reference.sum() - current / current.sum()).max())


OF_ALL = {
    "psi": psi,
    "psi_noise": psi_noise,
    "js_distance": js_distance,
    "hellinger_distance": hellinger_distance,
}
BY_KIND = {
    "numeric": {**OF_ALL, "ks_statistic": ks_statistic},
    "categorical": {**OF_ALL, "l_infinity": l_infinity},
}
NAMES = sorted(BY_KIND["numeric"].keys() | BY_KIND["categorical"].keys())
