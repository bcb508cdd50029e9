"""NannyML's rules for several columns. Runs in an environment of its own: see nannyml.txt.

Reads rows that `multivariate` wrote and prints a JSON object: rule -> rows so far at each alarm.
Methods and thresholds are NannyML's with their defaults.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np

warnings.simplefilter("ignore")


def alarms(reference: Any, rows: Any, sizes: list[int]) -> dict[str, list[int]]:
    """Return the rows so far at each chunk that raises an alarm where the last did not.

    The domain classifier trains five models a chunk, and so has chunks of the first size alone.
    """
    import nannyml
    import pandas as pd
    from nannyml.drift.multivariate.domain_classifier.calculator import DEFAULT_LGBM_HYPERPARAMS

    # One thread: on busy cores several wait for each other for most of the time.
    settings = {**DEFAULT_LGBM_HYPERPARAMS, "n_jobs": 1}
    names = [f"x{i}" for i in range(reference.shape[1])]
    sides = [pd.DataFrame(side, columns=names) for side in (reference, rows)]
    rules: dict[str, tuple[str, Any]] = {
        f"NannyML's PCA, chunks of {size}": (
            "reconstruction_error",
            nannyml.DataReconstructionDriftCalculator(column_names=names, chunk_size=size),
        )
        for size in sizes
    }
    rules[f"NannyML's domain classifier, chunks of {sizes[0]}"] = (
        "domain_classifier_auroc",
        nannyml.DomainClassifierCalculator(
            feature_column_names=names, chunk_size=sizes[0], hyperparameters=settings
        ),
    )
    found = {}
    for name, (score, rule) in rules.items():
        result = rule.fit(sides[0]).calculate(sides[1]).filter(period="analysis").to_df()
        alert = result[score, "alert"].to_numpy(dtype=bool)
        ends = result["chunk", "end_index"].to_numpy(dtype=int) + 1
        rises = alert & ~np.concatenate(([False], alert[:-1]))
        found[name] = ends[rises].tolist()
    return found


if __name__ == "__main__":
    with np.load(sys.argv[1]) as loaded:
        arrays = dict(loaded)
    print(json.dumps(alarms(arrays["reference"], arrays["rows"], arrays["sizes"].tolist())))
