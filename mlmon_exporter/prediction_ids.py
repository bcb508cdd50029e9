"""The id of a prediction, by which its outcome is joined later: in a header, or made here."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import weakref
from collections.abc import Callable

ID_HEADER = b"x-prediction-id"

_VALID = re.compile(rb"[!-~]{1,128}")


class PredictionIds:
    """Ids that no other process gives, on this host or another: a forked one starts anew."""

    __slots__ = ("__weakref__", "_number", "_prefix")

    def __init__(self) -> None:
        self._renew()
        renew = weakref.WeakMethod(self._renew)
        # Cheaper than to ask for the process's number with each id.
        os.register_at_fork(after_in_child=lambda: _call(renew))

    def _renew(self) -> None:
        self._prefix = f"{secrets.token_hex(8)}-"
        self._number = itertools.count()

    def new(self) -> str:
        """Return 16 random hex digits, the same for all of the process, and a number."""
        return self._prefix + str(next(self._number))


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    bound = method()
    if bound is not None:
        bound()


def valid_id(value: bytes | None) -> str | None:
    """Return the id if it is 1 to 128 visible ASCII characters, else None."""
    return value.decode("ascii") if value and _VALID.fullmatch(value) else None
