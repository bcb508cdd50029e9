"""NannyML's estimates of the same rows. Runs in an environment of its own: see nannyml.txt.

Reads rows that `estimates` wrote and prints a JSON object: quality -> its estimate of each chunk.
Columns of the reference are named `reference_...`; the others hold the chunks, one after another.
Methods are NannyML's with their defaults: DLE for a regression, CBPE for classes.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np

warnings.simplefilter("ignore")


def estimates(arrays: dict[str, Any], chunks: int, classes: list[str]) -> dict[str, list[float]]:
    """Return the estimates of each quality."""
    import nannyml
    import pandas as pd

    names = [name for name in arrays if f"reference_{name}" in arrays]
    reference = pd.DataFrame({name: arrays[f"reference_{name}"] for name in names})
    analysis = pd.DataFrame({name: arrays[name] for name in names})
    size = len(analysis) // chunks
    if classes:
        qualities = {"accuracy": "accuracy", "f1": "f1"}
        rule = nannyml.CBPE(
            metrics=[*qualities],
            y_pred_proba={name: f"chance_{name}" for name in classes},
            y_pred="predicted",
            y_true="truth",
            problem_type="classification_multiclass",
            chunk_size=size,
        )
    else:
        qualities = {"mae": "mae", "rmse": "rmse"}
        features = [name for name in names if name not in ("predicted", "truth")]
        rule = nannyml.DLE(features, "predicted", "truth", metrics=[*qualities], chunk_size=size)
    found = rule.fit(reference).estimate(analysis).filter(period="analysis").to_df()
    return {
        ours: found[theirs, "value"].astype(float).tolist() for ours, theirs in qualities.items()
    }


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as loaded:
        everything = dict(loaded)
    number, known = int(everything.pop("chunks")), everything.pop("classes").tolist()
    print(json.dumps(estimates(everything, number, known)))
