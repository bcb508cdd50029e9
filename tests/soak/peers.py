"""The rules of others on the same streams. Runs in an environment of its own: see peers.txt.

Reads a stream that `compare` wrote and prints a JSON object: rule -> alarms; of the errors that
`concept` wrote, the list of rows at which ADWIN detects a change. A
window of a day is looked at once a day, which is kinder to rules without a budget than our look
each quarter of an hour.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

warnings.simplefilter("ignore")

Verdict = Callable[[Any, Any], bool]
DAY = 86400.0


def psi(reference: Any, current: Any) -> float:
    """Return PSI over the reference's deciles, with the usual epsilon for empty bins."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, 11)))[1:-1]
    shares = [
        np.bincount(np.searchsorted(edges, v), minlength=len(edges) + 1) / len(v)
        for v in (reference, current)
    ]
    r, c = (np.maximum(s, 1e-4) for s in shares)
    return float(((c - r) * np.log(c / r)).sum())


def ks_p(reference: Any, current: Any) -> float:
    """Return the p-value of the two-sample KS test."""
    from scipy.stats import ks_2samp

    return float(ks_2samp(reference, current, method="asymp").pvalue)


RULES: dict[str, Verdict] = {
    "KS, p < 0.05": lambda r, c: ks_p(r, c) < 0.05,
    "PSI > 0.1, 10 bins": lambda r, c: psi(r, c) > 0.1,
    "PSI > 0.2, 10 bins": lambda r, c: psi(r, c) > 0.2,
}


def evidently(reference: dict[str, Any], current: dict[str, Any]) -> set[str]:
    """Return the columns that Evidently's default preset calls drifted."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    report = Report([DataDriftPreset()]).run(pd.DataFrame(current), pd.DataFrame(reference))
    drifted = set()
    for metric in report.dict()["metrics"]:
        config = metric["config"]
        if "column" not in config:
            continue
        method = metric["metric_name"]
        is_p = "p_value" in method
        value, bar = float(metric["value"]), float(config["threshold"])
        if value < bar if is_p else value > bar:
            drifted.add(config["column"])
    return drifted


def windows(times: Any) -> Iterator[tuple[float, Any]]:
    """Give the end of each day and which rows are in it."""
    for end in np.arange(DAY, times[-1] + 1, DAY):
        yield end, (times > end - DAY) & (times <= end)


def alarms(stream: Any, names: list[str]) -> dict[str, list[tuple[float, float, str]]]:
    """Return time, rows so far and feature of each rise of each rule."""
    times = stream["times"]
    reference = {name: stream[f"reference_{name}"] for name in names}
    found: dict[str, list[tuple[float, float, str]]] = {rule: [] for rule in (*RULES, "Evidently")}
    was: dict[str, set[str]] = {rule: set() for rule in found}
    for end, inside in windows(times):
        current = {name: stream[name][inside] for name in names}
        if len(current[names[0]]) < 100:
            continue
        now: dict[str, set[str]] = {rule: set() for rule in found}
        for rule, verdict in RULES.items():
            for name in names:
                r, c = (v[np.isfinite(v)] for v in (reference[name], current[name]))
                if verdict(r, c):
                    now[rule].add(name)
        now["Evidently"] = evidently(reference, current)
        for rule, drifted in now.items():
            found[rule] += [(end, float((times <= end).sum()), n) for n in drifted - was[rule]]
            was[rule] = drifted
    found["river ADWIN"] = adwin(stream, names)
    return found


def adwin(stream: Any, names: list[str]) -> list[tuple[float, float, str]]:
    """Return the detections of river's ADWIN with its defaults on each feature."""
    found = []
    for name in names:
        known = np.flatnonzero(~np.isnan(stream[name]))
        rows = [known[row - 1] for row in adwin_rows(stream[name][known])]
        found += [(float(stream["times"][row]), float(row + 1), name) for row in rows]
    return found


def adwin_rows(values: Any) -> list[int]:
    """Return the rows, from 1, at which ADWIN with its defaults detects a change."""
    from river.drift import ADWIN

    detector, found = ADWIN(), []
    for row, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append(row + 1)
    return found


if __name__ == "__main__":
    with np.load(sys.argv[1]) as loaded:
        arrays = dict(loaded)
    if "errors" in arrays:
        print(json.dumps(adwin_rows(arrays["errors"])))
    else:
        numeric = [n for n in arrays if n.startswith("x")]
        print(json.dumps(alarms(arrays, numeric)))
