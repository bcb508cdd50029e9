"""Traffic of the last hour: each model's requests, from looks at their totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.records import Block, Histograms, Readings, Requests

SPAN_SECONDS = 3600.0
STEP_SECONDS = 300.0
"""Looks are so far apart, or farther."""
LEAST_SECONDS = 1.0
"""Shortest span that is shown."""
FAILURES = ("server_error", "interrupted")
"""Outcomes that the burn alerts count, too."""

Floats = NDArray[np.float64]
Totals = Mapping[str, Floats]
"""Model -> requests, failures, then requests per bucket of duration."""


class Traffic:
    """Looks at the totals of requests, at most fifteen, of the last hour. Not thread-safe.

    Some twenty numbers a model and look. Merging is the union, the earlier look of a step first,
    so workers may look at the same time, and a look that is written twice counts once.
    """

    def __init__(self) -> None:
        self._looks: dict[int, tuple[float, Totals]] = {}  # by step -> Unix seconds, totals

    def is_due(self, now: float) -> bool:
        """Return whether the step at `now`, Unix seconds, has no look yet."""
        return int(now // STEP_SECONDS) not in self._looks

    def look(self, blocks: Iterable[Block], now: float) -> None:
        """Note the totals in the readings at `now`, unless the step has a look."""
        if self.is_due(now):
            self._looks = {**self._looks, int(now // STEP_SECONDS): (now, _totals(blocks)[1])}
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Forget looks of the future, if the clock was set back, and those of long ago but one."""
        looks = {step: look for step, look in self._looks.items() if look[0] <= now}
        old = sorted(step for step, (at, _) in looks.items() if at < now - SPAN_SECONDS)
        self._looks = {step: look for step, look in looks.items() if step not in old[:-1]}

    def since(self, blocks: Iterable[Block], now: float) -> dict[str, Requests]:
        """Return the requests of each model from the look closest to an hour ago until `now`.

        Totals may fall: a version ends, a state is lost. Looks from before are passed over, and a
        model without any other is left out.
        """
        bounds, totals = _totals(blocks)
        looks = [look for look in self._looks.values() if now - look[0] >= LEAST_SECONDS]
        looks.sort(key=lambda look: abs(now - look[0] - SPAN_SECONDS))
        found = {}
        for model, total in totals.items():
            for at, totals_then in looks:
                before = totals_then.get(model, np.zeros_like(total))
                if len(before) == len(total) and (before <= total).all():
                    risen = total - before
                    found[model] = Requests(risen[0], now - at, risen[1], bounds, risen[2:])
                    break
        return found

    def merge(self, other: Self) -> None:
        """Add the looks of another."""
        self._looks = {**other._looks, **self._looks}
        self._forget(max((at for at, _ in self._looks.values()), default=0.0))

    merge_max = merge

    def to_form(self) -> list[Any]:
        """Return all looks as plain lists, for the state on disk."""
        return [
            [at, {model: numbers.tolist() for model, numbers in totals.items()}]
            for at, totals in self._looks.values()
        ]

    def loaded(self, form: Iterable[Any]) -> Self:
        """Read looks of that form; raises ValueError or TypeError where it is damaged."""
        loaded = type(self)()
        loaded._looks = {  # noqa: SLF001 - of its own class
            int(at // STEP_SECONDS): (
                float(at),
                {str(model): np.array(row, np.float64) for model, row in totals.items()},
            )
            for at, totals in form
        }
        return loaded


def _totals(blocks: Iterable[Block]) -> tuple[tuple[float, ...], dict[str, Floats]]:
    """Return the bounds of durations, and each model's totals over versions and routes."""
    bounds: tuple[float, ...] = ()
    heads: dict[str, Floats] = {}
    buckets: dict[str, Floats] = {}
    for block in blocks:
        if block.name == "mlmon_requests_total" and isinstance(block, Readings):
            place = block.label_names.index("outcome")
            for labels, value in zip(block.labels, block.values, strict=True):
                head = heads.setdefault(labels[0], np.zeros(2))
                head += value * np.array([1.0, labels[place] in FAILURES])
        elif block.name == "mlmon_request_duration_seconds" and isinstance(block, Histograms):
            for labels, each, rows in zip(block.labels, block.bounds, block.counts, strict=True):
                bounds = each
                buckets[labels[0]] = buckets.get(labels[0], 0.0) + np.asarray(rows, np.float64)
    empty = np.zeros(len(bounds) + 1)
    return bounds, {m: np.concatenate((head, buckets.get(m, empty))) for m, head in heads.items()}
