"""Faults that may come with every request are logged once, and only counted from then on."""

from __future__ import annotations


class Once:
    """True the first time it is asked, False ever after."""

    __slots__ = ("_was_asked",)

    def __init__(self) -> None:
        self._was_asked = False

    def __call__(self) -> bool:
        """Return whether this is the first call."""
        is_first, self._was_asked = not self._was_asked, True
        return is_first
