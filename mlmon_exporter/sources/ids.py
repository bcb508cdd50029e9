"""Prediction ids, which later join outcomes: read from a header or made here."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mlmon_exporter.core.keys import is_id
from mlmon_exporter.runtime.forks import after_fork

ID_HEADER = b"x-prediction-id"

ID_BYTES = 12
"""Random bytes of an id, enough that no number of seen ids helps to guess another."""
MADE_AT_ONCE = 512
"""Ids made by one system call, which takes 60 µs: 0.1 for each."""


class PredictionIds:
    """Source of unguessable ids. Thread-safe; a forked process makes new ones.

    A ground truth is joined by its id alone: a guessed id would claim another's prediction.
    """

    __slots__ = ("__weakref__", "_made")

    def __init__(self) -> None:
        self._made: list[str] = []
        after_fork(self._drop)

    def _drop(self) -> None:
        self._made = []

    def new(self) -> str:
        """Return 24 random hex digits."""
        while True:
            try:
                return self._made.pop()  # atomic: no two threads get the same
            except IndexError:
                self._made = _random_ids()


def _random_ids() -> list[str]:
    digits = os.urandom(ID_BYTES * MADE_AT_ONCE).hex()
    length = 2 * ID_BYTES
    return [digits[start : start + length] for start in range(0, len(digits), length)]


def valid_id(value: bytes | None) -> str | None:
    """Return the id if it is 1 to 128 visible ASCII characters, else None."""
    text = value.decode("latin-1") if value else ""
    return text if is_id(text) else None


def given_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the valid id that headers give, the last of several; empty where there is none."""
    given = ""
    for name, value in headers:
        if name == ID_HEADER:
            given = valid_id(value) or ""
    return given
