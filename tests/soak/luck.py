"""Quality and concept drift of a model that did not change, while neighbouring rows share luck.

Probabilities are calibrated: of all rows with p, a share p comes true. But whether a row comes
true is decided by luck that its neighbours have, too: a latent process in time, uniform over all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.core.records import Batch, Readings
from mlmon_exporter.core.settings import ModelSettings, window_names
from mlmon_exporter.reference.reference import Reference

Floats = NDArray[np.float64]
DAY = 86400.0
PANE_SECONDS = 300.0
LOOK_SECONDS = 3600.0
KINDS = ("iid", "ar.5", "ar.9", "ar.99", "ar.999", "hour", "day", "night")


class Rows(NamedTuple):
    """Predictions with their outcomes, in time."""

    times: Floats
    """Seconds."""
    p: Floats
    y: Floats


class Result(NamedTuple):
    """Rises of any verdict, and when the first came, seconds; None without one."""

    rises: int
    first: float | None


def luck(kind: str, times: Floats, rng: np.random.Generator) -> Floats:
    """Return the luck of rows: standard normal at any time, alike for neighbours."""
    own = rng.normal(size=len(times))
    if kind.startswith("ar"):
        rho = float(kind[2:])
        own *= np.sqrt(1 - rho**2)
        own[0] = rng.normal()
        return np.asarray(lfilter([1], [1, -rho], own))
    if kind in ("day", "hour"):
        group = (times // (DAY if kind == "day" else 3600)).astype(int)
        shared = rng.normal(size=group.max() + 1)[group]
        share = 0.3 if kind == "day" else 0.5
        return np.asarray(share * shared + np.sqrt(1 - share**2) * own)
    if kind == "night":
        # Harder by night, by as much easier by day: with one fifth of the rows by night.
        return np.asarray(own + np.where(times % DAY < 7 * 3600, 0.4, -0.1))
    return own


def rows_of(kind: str, days: float, rows_a_day: float, rng: np.random.Generator) -> Rows:
    """Return rows of so many days, a quarter as many an hour by night as by day."""
    times = np.sort(rng.uniform(0, days * DAY, int(days * rows_a_day * 1.28)))
    times = times[rng.random(len(times)) < np.where(times % DAY > 7 * 3600, 1.0, 0.25)]
    p = rng.beta(0.6, 1.4, len(times))
    return Rows(times, p, (norm.cdf(luck(kind, times, rng)) < p).astype(float))


def worse(rows: Rows, share: float, at: float, rng: np.random.Generator) -> Rows:
    """Return the rows of a model that from `at`, seconds, gives a share of random probabilities."""
    is_random = (rows.times >= at) & (rng.random(len(rows.p)) < share)
    return rows._replace(p=np.where(is_random, rng.permutation(rows.p), rows.p))


def reference_of(
    rows: Rows, windows: tuple[str, ...] = ("1h", "24h"), *, is_timed: bool = True
) -> Reference:
    """Return the reference of rows, whose times are known or not."""
    data, times = {"p": rows.p, "y": rows.y}, {"at": rows.times} if is_timed else {}
    return Reference.build(
        {**data, **times},
        predictions="p",
        ground_truth="y",
        time_column="at" if is_timed else None,
        windows=windows,
    )


def run(
    reference: Reference,
    rows: Rows,
    since: float = 0.0,
    windows: tuple[tuple[str, float], ...] = (("1h", 3600.0), ("24h", DAY)),
    *,
    is_known: bool = True,
) -> Result:
    """Stream rows with their outcomes, and count the rises of all verdicts from `since` on.

    Those while it is known how outcomes depend on each other, or those before.
    """
    settings = ModelSettings("m", windows=window_names(windows))
    model = Model(settings, reference.for_model("m"))
    were: set[str] = set()
    rises, first = 0, None
    for now, start, end in _panes(rows.times):
        ids = [str(i) for i in range(start, end)]
        batch = Batch({}, {"p": rows.p[start:end]}, end - start, None, ids)
        if ids:
            model.observe(batch, now)
            waiting = model.pending_of(batch, now)
            tallies, _ = model.outcome_tallies([*zip(waiting, rows.y[start:end], strict=True)], now)
            model.versions.restore(tallies)
        if now % LOOK_SECONDS < LOOK_SECONDS - PANE_SECONDS:
            continue
        over = verdicts(model, now, is_known=is_known)
        if now >= since and over - were:
            rises += len(over - were)
            first = first if first is not None else now
        were = over
    return Result(rises, first)


def _panes(times: Floats) -> Iterator[tuple[float, int, int]]:
    """Give the end of each pane of the shortest window, and the rows in it."""
    ends = np.arange(PANE_SECONDS, times[-1], PANE_SECONDS)
    places = np.searchsorted(times, ends)
    for now, start, end in zip(ends, [0, *places[:-1]], places, strict=True):
        yield float(now) - 1.0, int(start), int(end)


def verdicts(model: Model, now: float, *, is_known: bool) -> set[str]:
    """Return what is on the wrong side of its threshold in some window, as alerts count it.

    Nothing unless it is known, or not, how outcomes depend on each other.
    """
    over: set[str] = set()
    blocks: dict[str, dict[tuple[str, ...], float]] = {}
    for block in model.readings(now):
        if isinstance(block, Readings) and any(
            word in block.name for word in ("quality", "concept", "outcome_dependence")
        ):
            found = dict(zip(block.labels, map(float, block.values), strict=True))
            blocks.setdefault(block.name, {}).update(found)
    if float(is_known) not in blocks["mlmon_outcome_dependence_known"].values():
        return over
    if 1.0 in blocks.get("mlmon_concept_drifted", {}).values():
        over.add("errors")
    for name, quality in QUALITY.items():
        bars = blocks.get(f"mlmon_quality_{name}_threshold", {})
        for labels, value in blocks.get(f"mlmon_quality_{name}", {}).items():
            if labels in bars and quality.sign * (value - bars[labels]) < 0:
                over.add(name)
    return over


def table(runs: int = 3, rows_a_day: float = 2000.0) -> None:
    """Print rises in 30 unchanged days, and the hours until half of a model is random."""
    print("| luck | reference, days | rises in 30 days | hours until seen: a fifth random, half |")
    print("|---|---|---|---|")
    for kind in KINDS:
        for days in (14.0, 60.0):
            cells = [one(kind, days, seed, rows_a_day) for seed in range(runs)]
            rises, *delays = zip(*cells, strict=True)
            print(f"| {kind} | {days:g} | {rises} | {delays} |", flush=True)
        raised = [without_times(kind, seed, rows_a_day) for seed in range(runs)]
        print(f"| {kind} | 14, without times | {raised} | |", flush=True)


def without_times(kind: str, seed: int, rows_a_day: float = 2000.0) -> int:
    """Return rises in 38 unchanged days, of which live traffic is known from the ninth on."""
    rng = np.random.default_rng(seed)
    reference = reference_of(rows_of(kind, 14.0, rows_a_day, rng), is_timed=False)
    return run(reference, rows_of(kind, 38.0, rows_a_day, rng)).rises


def one(kind: str, days: float, seed: int, rows_a_day: float) -> tuple[int, float, float]:
    """Return rises while nothing changed, and delays after a fifth and a half became random."""
    rng = np.random.default_rng(seed)
    reference = reference_of(rows_of(kind, days, rows_a_day, rng))
    rises = run(reference, rows_of(kind, 30.0, rows_a_day, rng)).rises
    delays = []
    for share in (0.2, 0.5):
        rows = worse(rows_of(kind, 8.0, rows_a_day, rng), share, 3 * DAY, rng)
        first = run(reference, rows, since=3 * DAY).first
        delays.append(np.nan if first is None else (first - 3 * DAY) / 3600)
    return rises, round(delays[0], 1), round(delays[1], 1)
