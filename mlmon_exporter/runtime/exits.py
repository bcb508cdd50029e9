"""Methods that are called when the process ends."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable


def close_at_exit(close: Callable[[], None]) -> None:
    """Call a method when the process ends, if its object is still there: it is not kept alive."""
    atexit.register(_close, weakref.WeakMethod(close))


def _close(close: weakref.WeakMethod[Callable[[], None]]) -> None:
    found = close()
    if found is not None:
        found()
