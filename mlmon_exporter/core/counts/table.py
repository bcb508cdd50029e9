"""Counts that merge: a table maps label values to cells, and a group of tables moves as one."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Generic, Self, TypeVar

from mlmon_exporter.core.labels import read_labels
from mlmon_exporter.core.records import Readings

from .version_uses import OTHER_VERSION, VersionName

FORK_WAIT_SECONDS = 1.0
"""A fork waits so long for a thread that counts, then goes on without it."""
Labels = tuple[str, ...]
C = TypeVar("C")


class Table(ABC, Generic[C]):
    """Label values -> a cell, such as a count or histograms. Not thread-safe: its owner locks."""

    __slots__ = ("_rows", "cells", "label_names")

    def __init__(self, label_names: Labels) -> None:
        self.label_names = label_names
        self.cells: dict[Labels, C] = {}
        self._rows: tuple[Labels, ...] = ()

    @abstractmethod
    def _sum(self, ours: C | None, theirs: C) -> C:
        """Return a new cell: the sum of two, the second one alone if there is no first."""

    @abstractmethod
    def _max(self, ours: C | None, theirs: C) -> C:
        """Return a new cell: the greater of two."""

    @abstractmethod
    def _read(self, form: Any) -> C:
        """Read a cell's JSON; raises ValueError or TypeError where it is damaged."""

    def merge(self, labels: Labels, cell: C) -> None:
        """Add a cell to that of the same labels."""
        self.cells[labels] = self._sum(self.cells.get(labels), cell)

    def merge_max(self, labels: Labels, cell: C) -> None:
        """Raise the cell of the same labels to this one where that is greater."""
        self.cells[labels] = self._max(self.cells.get(labels), cell)

    def swap(self, other: Self) -> None:
        """Exchange all cells with another table."""
        self.cells, other.cells = other.cells, self.cells
        self._rows = other._rows = ()

    def version(self, labels: Labels) -> VersionName | None:
        """Return the model and version that labels name, None if they name none."""
        return (labels[0], labels[1]) if self.label_names[:2] == ("model", "version") else None

    def forget(self, versions: Collection[VersionName]) -> None:
        """Drop the cells of these versions."""
        self.cells = {k: cell for k, cell in self.cells.items() if self.version(k) not in versions}
        self._rows = ()

    def label_rows(self) -> tuple[Labels, ...]:
        """Return all label values: the same object until there are new ones."""
        if len(self._rows) != len(self.cells):
            self._rows = tuple(self.cells)
        return self._rows

    def to_form(self) -> list[Any]:
        """Return all cells as plain lists."""
        return [[list(labels), cell] for labels, cell in self.cells.items()]

    def read(self, form: Iterable[Any]) -> None:
        """Add the cells of that form; raises ValueError or TypeError where it is damaged."""
        for labels, cell in form:
            self.merge(read_labels(labels, len(self.label_names)), self._read(cell))


class CounterTable(Table[int]):
    """Counts that only go up."""

    __slots__ = ()

    def _sum(self, ours: int | None, theirs: int) -> int:
        return (ours or 0) + theirs

    def _max(self, ours: int | None, theirs: int) -> int:
        return max(ours or 0, theirs)

    def _read(self, form: Any) -> int:
        return int(form)

    def declare(self, rows: Iterable[Labels]) -> None:
        """Start counts at 0: `rate()` passes over the first value of a series."""
        for labels in rows:
            self.cells.setdefault(labels, 0)

    def readings(self, name: str) -> Readings:
        """Return all counts as the readings of a metric."""
        return Readings(name, self.label_names, self.label_rows(), [*self.cells.values()])


class CountTables(ABC):
    """Tables by name that are taken, merged and stored together. Thread-safe: one lock."""

    def __init__(self, **tables: Table[Any]) -> None:
        self._lock = threading.Lock()
        self._is_held = False
        self.tables: Mapping[str, Table[Any]] = tables

    def hold(self) -> None:
        """Before a fork: wait for the thread that is counting, so that a child finds all whole."""
        self._is_held = self._lock.acquire(timeout=FORK_WAIT_SECONDS)

    def release(self) -> None:
        """Let others count again after a fork, in the parent."""
        if self._is_held:
            self._lock.release()

    def renew(self) -> None:
        """Let a forked child count, even if it has none of the threads that hold the lock."""
        self._lock = threading.Lock()

    @abstractmethod
    def like(self) -> Self:
        """Return new tables with the same bounds, as they are before anything is counted."""

    def _drain(self) -> None:  # noqa: B027 - only requests wait
        """Count the events that wait for it; the lock is held."""

    def _bounded(self, table: str, labels: Labels) -> Labels:  # noqa: ARG002 - of subclasses
        """Return the labels that another's cell gets in a table here; the lock is held."""
        return labels

    def learn(self) -> None:  # noqa: B027 - only some cap names
        """Make the names in the tables known, even over the caps."""

    def take(self) -> Self:
        """Return all counts since the last call and start again as `like()`."""
        taken = self.like()
        with self._lock:
            self._drain()
            for name, table in self.tables.items():
                table.swap(taken.tables[name])
        taken.learn()
        return taken

    def merge(self, other: Self) -> None:
        """Add the counts of another, such as another worker's; it stays as it is."""
        self._combine(other, Table.merge)

    def merge_max(self, other: Self) -> None:
        """Raise each count to another's where that is greater."""
        self._combine(other, Table.merge_max)

    def _combine(self, other: Self, combine: Callable[[Table[Any], Labels, Any], None]) -> None:
        theirs = other.as_other(())
        with self._lock:
            self._drain()
            for name, table in theirs.tables.items():
                for labels, cell in table.cells.items():
                    combine(self.tables[name], self._bounded(name, labels), cell)

    def as_other(self, versions: Collection[VersionName]) -> Self:
        """Return a copy in which the counts of these versions are those of `other`."""
        copy = self.like()
        with self._lock:
            self._drain()
            for name, table in self.tables.items():
                for labels, cell in table.cells.items():
                    if table.version(labels) in versions:
                        labels = (labels[0], OTHER_VERSION, *labels[2:])  # noqa: PLW2901
                    copy.tables[name].merge(labels, cell)
        copy.learn()
        return copy

    def named(self) -> set[VersionName]:
        """Return model and version of all that were counted or declared."""
        with self._lock:
            self._drain()
            names = {table.version(k) for table in self.tables.values() for k in table.cells}
        return {name for name in names if name is not None}

    def forget(self, versions: Collection[VersionName]) -> None:
        """Drop the counts of these versions."""
        with self._lock:
            self._drain()
            for table in self.tables.values():
                table.forget(versions)

    def is_empty(self) -> bool:
        """Return whether nothing was counted or declared."""
        with self._lock:
            self._drain()
            return not any(table.cells for table in self.tables.values())

    def to_form(self) -> dict[str, list[Any]]:
        """Return all counts as plain lists by name of their table, for the state on disk."""
        with self._lock:
            self._drain()
            return {name: table.to_form() for name, table in self.tables.items()}

    def read(self, form: Mapping[str, Any]) -> None:
        """Add the counts of that form, even over the caps; tables may be missing.

        Raises:
            ValueError: The form is damaged; or AttributeError or TypeError.
        """
        for name, table in self.tables.items():
            table.read(form.get(name, ()))
        self.learn()

    def loaded(self, form: Mapping[str, Any]) -> Self:
        """Return new tables with the same bounds, read from that form; raises as `read`."""
        loaded = self.like()
        loaded.read(form)
        return loaded
