"""The model that each server serves: y = a + 10 b + 100 c. Runs in the servers' environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FEATURES = ("a", "b", "c")
WEIGHTS = (1.0, 10.0, 100.0)


def outputs(columns: Any) -> NDArray[np.float64]:
    """Return the output of each row.

    Args:
        columns: Name -> values, also as a data frame, or rows of values, in lists or an array.
    """
    if hasattr(columns, "keys"):  # a data frame has them, too
        parts = [np.asarray(columns[name], dtype=np.float64).reshape(-1) for name in FEATURES]
        matrix = np.stack(parts, axis=1)
    else:
        matrix = np.asarray(columns, dtype=np.float64)
    result: NDArray[np.float64] = matrix @ np.array(WEIGHTS)
    return result
