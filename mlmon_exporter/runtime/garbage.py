"""Bursts of short-lived objects, kept from setting off a collection of the whole process's garbage.

Python's collector runs after so many containers were made, net of those freed. A body of a
thousand rows is a thousand containers for some milliseconds, and none thereafter: counted, they
would have the collector scan all of the served app's memory, for a tenth of a second and more.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def uncollected(work: Callable[..., T], *arguments: object) -> T:
    """Return what `work` returns; the collector is off meanwhile, if it was on.

    For some milliseconds of work that frees nearly all it makes: other threads' garbage waits as
    long. An app that has switched the collector off keeps it off.
    """
    if not gc.isenabled():
        return work(*arguments)
    gc.disable()
    try:
        return work(*arguments)
    finally:
        gc.enable()
