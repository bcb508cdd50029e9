"""Pending predictions in tables of SQLite or of a PostgreSQL server.

Everything here happens within the caller's transaction. Queries are put together from constants
and placeholders alone: values never stand in them.
"""
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeVar

from mlmon_exporter.core.outcomes.pending import (
    Found,
    GroundTruth,
    pack,
    pack_truth,
    spent,
    unpack,
    unpack_truth,
)
from mlmon_exporter.core.records import Prediction

T = TypeVar("T")

ALL = ""
"""Name under which the rows of all models are counted."""
EXPIRED_AT_ONCE = 10_000
"""Rows over age that are deleted in one transaction at most."""


class Dialect(NamedTuple):
    """Words of SQL that databases spell differently."""

    mark: str
    """Placeholder of a parameter."""
    real: str
    blob: str
    lock: str
    """End of a SELECT that locks its rows against other transactions."""


SQLITE = Dialect("?", "REAL", "BLOB", "")
POSTGRESQL = Dialect("%s", "DOUBLE PRECISION", "BYTEA", "FOR UPDATE")


class Cursor(Protocol):
    """Result of a statement."""

    def fetchall(self) -> list[Any]: ...


class Connection(Protocol):
    """A connection of sqlite3 or of psycopg, within a transaction."""

    def execute(self, query: Any, params: Any = ...) -> Cursor: ...


def schema(dialect: Dialect) -> Iterator[str]:
    """Give the statements that make the tables where there are none."""
    yield (
        "CREATE TABLE IF NOT EXISTS mlmon_pending (id TEXT PRIMARY KEY, model TEXT NOT NULL, "
        f"at {dialect.real} NOT NULL, is_waiting INTEGER NOT NULL, data {dialect.blob} NOT NULL)"
    )
    yield "CREATE INDEX IF NOT EXISTS mlmon_pending_at ON mlmon_pending (at)"
    yield (
        "CREATE TABLE IF NOT EXISTS mlmon_early (id TEXT PRIMARY KEY, "
        f"received {dialect.real} NOT NULL, data {dialect.blob} NOT NULL)"
    )
    yield (
        "CREATE TABLE IF NOT EXISTS mlmon_pending_count "
        "(model TEXT PRIMARY KEY, amount BIGINT NOT NULL)"
    )


class PendingTable:
    """The pending predictions of a transaction, and ground truths that came before theirs."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._mark = dialect.mark
        self._lock = dialect.lock

    def add(self, predictions: Iterable[tuple[str, Prediction]]) -> int:
        """Keep predictions, each with its model; an id that is there already stays as it was.

        Returns:
            Predictions that were not kept, since their id was there.
        """
        rows = [(p.id, model, p.at, 1, pack(model, p)) for model, p in predictions]
        kept = 0
        for some in _batches(rows, 512):
            marks = ", ".join([f"({self._marks(5)})"] * len(some))
            added = self._run(
                f"INSERT INTO mlmon_pending VALUES {marks} ON CONFLICT DO NOTHING RETURNING model",
                [value for row in some for value in row],
            )
            self._count((model, 1, 1) for (model,) in added)
            kept += len(added)
        return len(rows) - kept

    def find(self, ids: Collection[str]) -> dict[str, Found]:
        """Return the predictions of these ids, locked against other transactions."""
        found: dict[str, Found] = {}
        for some in _batches([*ids], 4096):
            rows = self._run(
                f"SELECT id, data FROM mlmon_pending WHERE id IN ({self._marks(len(some))}) "
                f"ORDER BY id {self._lock}",
                some,
            )
            found.update(_readable(rows, unpack))
        return found

    def mark_matched(self, found: Mapping[str, Found]) -> None:
        """Keep of matched predictions only what tells a duplicate."""
        for prediction_id, known in found.items():
            self._run(
                f"UPDATE mlmon_pending SET is_waiting = 0, data = {self._mark} "
                f"WHERE id = {self._mark}",
                (spent(known), prediction_id),
            )
        self._count((known.model, 0, -1) for known in found.values())

    def forget(self, before: float, most_rows: int) -> int:
        """Forget predictions that are older, and the oldest over a number; count the latter."""
        where = f"WHERE at < {self._mark} ORDER BY at LIMIT {EXPIRED_AT_ONCE}"
        self._delete(where, (before,))
        over = self.counts().get(ALL, 0) - most_rows
        return self._delete(f"ORDER BY at LIMIT {self._mark}", (over,)) if over > 0 else 0

    def _delete(self, which: str, params: Sequence[Any]) -> int:
        rows = self._run(
            f"DELETE FROM mlmon_pending WHERE id IN (SELECT id FROM mlmon_pending {which}) "
            "RETURNING model, is_waiting",
            params,
        )
        self._count((str(model), -1, -(is_waiting == 1)) for model, is_waiting in rows)
        return len(rows)

    def counts(self) -> dict[str, int]:
        """Return the predictions that wait by model, and under "" the rows of all."""
        rows = self._run("SELECT model, amount FROM mlmon_pending_count", ())
        return {model: amount for model, amount in rows if isinstance(amount, int)}

    def keep_early(self, truths: Iterable[GroundTruth], now: float) -> None:
        """Keep ground truths whose prediction is not there yet."""
        for truth in truths:
            self._run(
                f"INSERT INTO mlmon_early VALUES ({self._marks(3)}) ON CONFLICT DO NOTHING",
                (truth.prediction_id, now, pack_truth(truth)),
            )

    def take_early(self, ids: Collection[str]) -> list[GroundTruth]:
        """Return, and forget, early ground truths of these ids."""
        return [
            truth
            for some in _batches([*ids], 4096)
            for truth in self._take_early(f"id IN ({self._marks(len(some))})", some)
        ]

    def take_unknown(self, before: float) -> list[GroundTruth]:
        """Return, and forget, early ground truths that came before a time."""
        return self._take_early(f"received < {self._mark}", (before,))

    def _take_early(self, where: str, params: Sequence[Any]) -> list[GroundTruth]:
        rows = self._run(f"DELETE FROM mlmon_early WHERE {where} RETURNING id, data", params)
        return [truth for _, truth in _readable(rows, unpack_truth)]

    def _count(self, changes: Iterable[tuple[str, int, int]]) -> None:
        """Add to the counts: model, rows more, waiting ones more."""
        sums: dict[str, int] = {}
        for model, rows, waiting in changes:
            sums[ALL] = sums.get(ALL, 0) + rows
            sums[model] = sums.get(model, 0) + waiting
        for model, more in sorted(sums.items()):  # one order for all: no deadlocks
            if more:
                self._run(
                    f"INSERT INTO mlmon_pending_count VALUES ({self._marks(2)}) "
                    "ON CONFLICT (model) DO UPDATE "
                    "SET amount = mlmon_pending_count.amount + excluded.amount",
                    (model, more),
                )

    def _run(self, query: str, params: Sequence[Any]) -> list[Any]:
        cursor = self._connection.execute(query, params)
        return cursor.fetchall() if "RETURNING" in query or query.startswith("SELECT") else []

    def _marks(self, count: int) -> str:
        return ", ".join([self._mark] * count)


def _readable(rows: list[Any], read: Callable[[str, bytes], T]) -> Iterator[tuple[str, T]]:
    """Read rows of id and data; a damaged one is as if it were not there."""
    for row_id, data in rows:
        with suppress(ValueError):
            yield row_id, read(row_id, bytes(data) if isinstance(data, bytes | memoryview) else b"")


def _batches(rows: list[Any], size: int) -> Iterator[list[Any]]:
    """Give the rows in batches of `size`, a power of two; the last row is repeated to fill one up.

    So batches have few lengths, and queries few texts: connections keep a statement for each.
    """
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        length = 1 << (len(batch) - 1).bit_length()
        yield batch + batch[-1:] * (length - len(batch))
