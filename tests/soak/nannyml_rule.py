"""NannyML's rule on the same streams. Runs in an environment of its own: see nannyml.txt.

Reads a stream that `compare` wrote and prints a JSON object: rule -> alarms. Chunks are days, as
other rules' windows are; methods and thresholds are NannyML's defaults.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np

warnings.simplefilter("ignore")

DAY = 86400.0
METHOD = "jensen_shannon"
"""NannyML's default for numbers: the distance, over the mean of chunks of the reference and three
of their standard deviations."""


def alarms(stream: dict[str, Any], names: list[str]) -> list[tuple[float, float, str]]:
    """Return time, rows so far and feature of each rise."""
    import nannyml
    import pandas as pd

    rows = len(stream[f"reference_{names[0]}"])
    reference_times = stream.get("reference_times", np.arange(rows) * 14 * DAY / rows)
    sides = {"": stream["times"], "reference_": reference_times}
    analysis, reference = (
        pd.DataFrame(
            {name: stream[f"{side}{name}"] for name in names}
            | {"at": pd.to_datetime(times, unit="s")}
        )
        for side, times in sides.items()
    )
    rule = nannyml.UnivariateDriftCalculator(
        column_names=names, timestamp_column_name="at", chunk_period="D"
    )
    found = rule.fit(reference).calculate(analysis).filter(period="analysis").to_df()
    raised = []
    for name in names:
        alert = found[name, METHOD, "alert"].to_numpy(dtype=bool)
        rises = np.flatnonzero(alert & ~np.concatenate(([False], alert[:-1])))
        ends = [(found["chunk", "chunk", "end_index"].iloc[i], i) for i in rises]
        raised += [(float((i + 1) * DAY), float(end + 1), name) for end, i in ends]
    return raised


if __name__ == "__main__":
    with np.load(sys.argv[1]) as loaded:
        arrays = dict(loaded)
    numeric = [name for name in arrays if name.startswith("x")]
    print(json.dumps({"NannyML 0.13, univariate": alarms(arrays, numeric)}))
