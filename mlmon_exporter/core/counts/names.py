"""Names from requests as label values: at most so many, and the rest is `other`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlmon_exporter.core.labels import OTHER, clean_label


class BoundedNames:
    """At most `most` names, besides `other`. Not thread-safe: its owner locks.

    `on_overflow` is called for each name over the cap.
    """

    __slots__ = ("_known", "_on_overflow", "most")

    def __init__(self, most: int, on_overflow: Callable[[], None]) -> None:
        self.most = most
        self._on_overflow = on_overflow
        self._known = {OTHER}

    def admit(self, name: str) -> str:
        """Return the label of a name, which is known from now on, or `other`."""
        name = clean_label(name)
        if name not in self._known:
            if len(self._known) > self.most:  # `other` is one of them
                self._on_overflow()
                return OTHER
            self._known.add(name)
        return name

    def label(self, name: str) -> str:
        """Return the label that `admit` would give now; admits nothing."""
        is_known = name in self._known or len(self._known) <= self.most
        return clean_label(name) if is_known else OTHER

    def add(self, names: Iterable[str]) -> None:
        """Make stored names known, even over the cap: they are shown already."""
        self._known.update(names)
