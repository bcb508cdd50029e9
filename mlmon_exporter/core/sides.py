"""One side of a version: what counts its rows, and what gives readings of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from .drift.history import ColumnHistory
from .keys import TallyKey
from .records import Histograms, Readings
from .windows.columns import TOTALS
from .windows.window import Window


class Counted(Protocol):
    """Counts rows in panes of windows: `Columns` and `SliceWindows`."""

    @property
    def windows(self) -> tuple[Window[Any], ...]:
        """The windows, shortest first."""

    @property
    def fingerprint(self) -> str:
        """Text that differs where tallies do not add up."""

    def take(self) -> Mapping[tuple[int, int], Any]:
        """Return all that was counted since the last call and start again at nothing."""

    def give_back(self, parts: Any) -> None:
        """Add what was taken, since it could not be kept elsewhere."""

    def put(self, part: tuple[int, int], tally: Any) -> None:
        """Have a part as it was kept elsewhere; raises ValueError where it is another's."""

    def parts(self) -> Mapping[tuple[int, int], Any]:
        """Return all that is counted; it stays."""

    def drain(self, pause: Callable[[], None]) -> None:
        """Tally all rows that were taken in."""


class Shown(Protocol):
    """Gives readings."""

    def at(self, now: float) -> Iterable[Readings | Histograms]:
        """Give all readings at `now`, Unix seconds."""


class Side(NamedTuple):
    """The features of a version, its outputs, its errors, or its slices."""

    counted: Counted
    """Takes rows in."""
    shown: Counted
    """What readings are of: the same, or what all processes have counted."""
    readings: Shown | None
    """None where the reference has no such columns."""
    pictures: ColumnHistory | None = None
    """None where there is nothing to be looked at."""

    def key(self, version: str, side: int, part: tuple[int, int]) -> TallyKey:
        """Return the key of a part."""
        k, number = part
        seconds = self.counted.windows[k].seconds if part != TOTALS else 0.0
        return TallyKey(version, side, self.counted.fingerprint, seconds, number)

    def part(self, key: TallyKey) -> tuple[int, int] | None:
        """Return which part of this side a key means, None if there is none such."""
        if key.layout != self.counted.fingerprint:
            return None
        if not key.window_seconds:
            return TOTALS
        seconds = [window.seconds for window in self.counted.windows]
        return (
            (seconds.index(key.window_seconds), key.pane) if key.window_seconds in seconds else None
        )
