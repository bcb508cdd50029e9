"""The state file itself, damaged: bytes changed, its end cut off, cells of its tables changed.

A whole file is too much for a fuzzer, so inputs say what to change in a valid one: a byte
anywhere, or what is in a column.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from struct import iter_unpack
from typing import Any

from mlmon_exporter import Config, Monitor, Reference
from mlmon_exporter.state.errors import StoreError
from mlmon_exporter.state.store import FILE, SCHEMA_VERSION

NOW = 1_750_000_000.0
CELLS = (
    *(("meta", name) for name in ("name", "value")),
    *(("state", name) for name in ("key", "value", "checksum", "stamp", "expires")),
    *(("mlmon_pending", name) for name in ("id", "model", "at", "is_waiting", "data")),
    *(("mlmon_early", name) for name in ("id", "received", "data")),
    *(("mlmon_pending_count", name) for name in ("model", "amount")),
)
JUNK: tuple[Any, ...] = (
    *(None, -1, 0.5, 2**63 - 1, -(2**63), 1e308, float("inf"), "", "x", "\0", "9" * 30),
    *(b"", b"\xff", b"{}", b"[]", b"[[]]", b"[1, 2, 3]", b'["m", null, "x", 1, []]'),
    *(b'["m", "1", 1750000000.0, [[]], [{}]]', b'["m", "1", 1e999]', b"[" * 2000),
)


@cache
def _config() -> Config:
    folder = Path(tempfile.mkdtemp(prefix="mlmon-state-"))
    labels = ["a", "b", "b"] * 10
    rows = {"x": [1.0, 2.0, 3.0] * 10, "y": labels, "truth": labels}
    Reference.build(rows, predictions="y", ground_truth="truth").save(folder / "m.json")
    options = {"reference": str(folder / "m.json"), "state_dir": str(folder / "state")}
    return Config.from_options(None, model="m", version="1", flush_seconds=3600, **options)


def _path() -> Path:
    folder = _config().state_dir
    assert folder is not None
    return folder / FILE


@cache
def _valid() -> bytes:
    """Return a file with rows in each table."""
    monitor = Monitor(_config())
    _use(monitor, 0)
    with closing(sqlite3.connect(_path())) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = _path().read_bytes()
    monitor.close()  # it forgets what is too old by the clock
    return file


def _use(monitor: Monitor, turn: int) -> None:
    """Do all that reads or writes the file; StoreError is what callers are told to expect."""
    ids = [f"p{turn}-{i}" for i in range(3)]
    monitor.observe({"x": [1.0, 2.0, 3.0]}, ["a", "b", "b"], prediction_ids=ids, now=NOW)
    _scrape(monitor)
    # One that waits, one that came with those of before, and one that comes before its prediction.
    for about in (ids[0], f"p{turn - 1}-1", f"p{turn + 1}-2"):
        with suppress(StoreError):
            monitor.observe_ground_truth(about, "a", now=NOW)
            monitor.observe_kpi("revenue", 2.0, about, now=NOW)
    _scrape(monitor)


def _scrape(monitor: Monitor) -> None:
    for _ in monitor._readout.blocks(NOW):
        pass


def _rule(file: bytes) -> None:
    """Whatever is in the file, scrapes go on, and what is counted is kept again after a while."""
    path = _path()
    for each in path.parent.glob("*"):
        each.unlink()
    path.write_bytes(file)
    monitor = Monitor(_config())
    try:
        for turn in range(1, 4):
            _use(monitor, turn)
        assert monitor._upkeep.shared is not None
        assert monitor._upkeep.shared.flush(NOW) or _is_left_alone(path)
    finally:
        monitor.close()


def _is_left_alone(path: Path) -> bool:
    """Return whether the file says that a later program made it, or a later SQLite."""
    with path.open("rb") as file:
        head = file.read(100)
    return head[18] > 2 or int.from_bytes(head[60:64], "big") > SCHEMA_VERSION


def bytes_rule(data: bytes) -> None:
    """Of each four bytes three say where, and one is put there; two first say where it ends."""
    file, size = bytearray(_valid()), len(_valid())
    for low, high, new in iter_unpack("<HBB", data[2 : 2 + (len(data) - 2) // 4 * 4]):
        file[(high << 16 | low) % size] = new
    cut = int.from_bytes(data[:2], "little") * 8
    _rule(bytes(file[: size - cut % size]))


def bytes_seeds() -> list[bytes]:
    size = len(_valid())
    places = [18, 28, 56, 60, 96, 100, 105, *range(4096, size, 1024)]
    cuts = [(cut // 8).to_bytes(2, "little") for cut in (4096, size // 2)]
    return [b"\0\0", *cuts, *(b"\0\0" + place.to_bytes(3, "little") + b"\x07" for place in places)]


def cells_rule(data: bytes) -> None:
    """Of each two bytes one says which column, and one what is put into its rows."""
    file = _valid()
    path = _path().with_name("changed.sqlite")
    path.write_bytes(file)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for quick in ("journal_mode = MEMORY", "synchronous = OFF"):
            connection.execute(f"PRAGMA {quick}")
        for (table, column), junk in _cells(data):
            _put(connection, table, column, junk)
    _rule(path.read_bytes())


def _cells(data: bytes) -> Iterator[tuple[tuple[str, str], Any]]:
    for cell, junk in zip(data[::2], data[1::2], strict=False):
        yield CELLS[cell % len(CELLS)], JUNK[junk % len(JUNK)]


def _put(connection: sqlite3.Connection, table: str, column: str, junk: Any) -> None:
    # Where no two may be alike one row is enough, and what may not be NULL stays as it is.
    for where in ("", f" WHERE {column} = (SELECT min({column}) FROM {table})"):
        with suppress(sqlite3.IntegrityError):
            connection.execute(f"UPDATE {table} SET {column} = ?{where}", (junk,))


def cells_seeds() -> list[bytes]:
    # Each kind of junk is tried in a third of the columns: that is soon done.
    return [
        bytes([cell, junk]) for cell in range(len(CELLS)) for junk in range(cell % 3, len(JUNK), 3)
    ]
