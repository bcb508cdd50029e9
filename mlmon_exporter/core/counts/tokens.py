"""Times of the tokens of a streamed answer."""

from __future__ import annotations

from bisect import bisect_left

from .histograms import Bounds, Cell, Family

FIRST_TOKEN_BOUNDS: Bounds = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75),
    *(1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 40.0),
)
"""A prompt may wait for others, and a long one takes seconds to be read."""
TOKEN_BOUNDS: Bounds = (
    *(0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5),
)
"""200 tokens a second is quick; at 10 people read along."""
BY_STREAM = Family(
    ("model", "version", "route"),
    {
        "mlmon_request_first_token_seconds": FIRST_TOKEN_BOUNDS,
        "mlmon_output_token_seconds": TOKEN_BOUNDS,
    },
)
"""Of answers that are streamed."""


class TokenTimes:
    """Times at which the tokens of one streamed answer were sent. Not thread-safe."""

    __slots__ = ("_gaps", "_last", "first")

    def __init__(self, began: float) -> None:
        """Start when the request came in, in seconds of the clock of `tick`."""
        self._last = began
        self.first = -1.0
        """Seconds to the first token; less than 0 before it."""
        self._gaps: Cell = [0] * (len(TOKEN_BOUNDS) + 2)

    def tick(self, now: float) -> None:
        """Count a token that is sent at `now`."""
        gap = now - self._last
        self._last = now
        if self.first < 0:
            self.first = gap
        else:
            self._gaps[bisect_left(TOKEN_BOUNDS, gap)] += 1
            self._gaps[-1] += gap

    def cells(self) -> tuple[Cell, Cell]:
        """Return the histograms of `BY_STREAM`, as this answer alone would have them."""
        first: Cell = [0] * (len(FIRST_TOKEN_BOUNDS) + 2)
        if self.first >= 0:
            first[bisect_left(FIRST_TOKEN_BOUNDS, self.first)] = 1
            first[-1] = self.first
        return first, self._gaps
