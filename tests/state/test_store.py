from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from mlmon_exporter.state import store as store_module
from mlmon_exporter.state.errors import LostError, StoreError
from mlmon_exporter.state.store import FILE, Merge, Store, Value


def adding(text: bytes, expires: float | None = None) -> Merge:
    def merge(old: Value | None) -> Value:
        data = (old.data if old else b"") + text
        return Value(data, expires)

    return merge


def test_changes_are_merged_and_read_once(tmp_path: Path) -> None:
    one, two = Store(tmp_path), Store(tmp_path)
    one.merge({"a": adding(b"1"), "b": adding(b"x")}, 0.0)
    first = two.read(-1)
    assert first.values == {"a": b"1", "b": b"x"}
    two.merge({"a": adding(b"2")}, 0.0)
    later = one.read(first.stamp, first.file)
    assert later.values == {"a": b"12"}
    assert one.read(later.stamp, later.file).values == {}
    one.close()
    two.close()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "folder")
    store.merge({"a": adding(b"1")}, 0.0)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.close()


def test_what_expired_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"old": adding(b"1", expires=100.0), "kept": adding(b"1")}, 50.0)
    assert set(store.read(-1).values) == {"old", "kept"}
    store.merge({}, 101.0)
    assert set(store.read(-1).values) == {"kept"}
    store.close()


def test_a_merge_that_fails_keeps_nothing(tmp_path: Path) -> None:
    def fail(old: Value | None) -> Value:
        raise RuntimeError("planted")

    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    with pytest.raises(RuntimeError):
        store.merge({"a": adding(b"2"), "b": fail}, 0.0)
    assert store.read(-1).values == {"a": b"1"}
    store.close()


def test_what_expired_is_found_without_reading_the_values(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    store.close()
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        query = "EXPLAIN QUERY PLAN DELETE FROM state WHERE expires < 1"
        assert "USING INDEX state_expires" in str(connection.execute(query).fetchall())


def test_writers_in_parallel_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Who is not let in for so long has an error and counts on; here, a slow disk must not matter.
    monkeypatch.setattr(store_module, "WAIT_SECONDS", 60.0)

    def write() -> None:
        store = Store(tmp_path)
        for _ in range(50):
            store.merge({"a": adding(b"x")}, 0.0)
        store.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = Store(tmp_path)
    assert len(reader.read(-1).values["a"]) == 200
    reader.close()


def test_a_lock_held_for_long_is_an_error_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "WAIT_SECONDS", 0.05)
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"):
        store.merge({"a": adding(b"2")}, 0.0)
    other.rollback()
    other.close()
    store.merge({"a": adding(b"2")}, 0.0)
    assert store.read(-1).values == {"a": b"12"}
    store.close()


def test_a_deleted_file_is_begun_anew_with_another_identity(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    before = store.read(-1)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(LostError, match="deleted or replaced"):
        store.merge({"b": adding(b"2")}, 0.0)
    store.merge({"b": adding(b"2")}, 0.0)
    after = store.read(before.stamp, before.file)
    assert after.file != before.file
    assert after.values == {"b": b"2"}
    store.close()


@pytest.mark.parametrize("damage", [b"not a database at all" * 1000, b""], ids=["noise", "empty"])
def test_a_damaged_file_is_set_aside_and_work_goes_on(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    store.close()
    (tmp_path / FILE).write_bytes(damage)
    for suffix in ("-wal", "-shm"):
        Path(f"{tmp_path / FILE}{suffix}").unlink(missing_ok=True)
    if damage:
        with pytest.raises(LostError, match=f"set aside as {FILE}.damaged-"):
            store.merge({"a": adding(b"2")}, 0.0)
        assert len(list(tmp_path.glob(f"{FILE}.damaged-*"))) == 1
    store.merge({"a": adding(b"2")}, 0.0)
    assert store.read(-1).values == {"a": b"2"}
    store.close()


def test_a_schema_that_is_no_text_is_damage(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    store.close()
    file = (tmp_path / FILE).read_bytes()
    assert file.count(b"CREATE TABLE meta") == 1
    (tmp_path / FILE).write_bytes(file.replace(b"CREATE TABLE meta", b"CREATE \xffABLE meta"))
    with pytest.raises(LostError, match=f"set aside as {FILE}.damaged-"):
        store.merge({"a": adding(b"2")}, 0.0)
    store.merge({"a": adding(b"2")}, 0.0)
    assert store.read(-1).values == {"a": b"2"}
    store.close()


def test_a_file_of_a_newer_version_is_not_written_to(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    store = Store(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreError, match="schema 99 is of a newer mlmon-exporter"):
            store.merge({"a": adding(b"1")}, 0.0)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".sqlite"] == [FILE]
    assert not list(tmp_path.glob("*damaged*"))
    store.close()


def test_a_full_disk_is_an_error_that_passes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    connection = store._connection
    assert connection is not None
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="full"):
        store.merge({"big": adding(bytes(10**6))}, 0.0)
    store.merge({"a": adding(b"2")}, 0.0)
    assert store.read(-1).values == {"a": b"12"}
    store.close()


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "folder")
    with pytest.raises(StoreError, match="Not a directory"):
        store.merge({"a": adding(b"1")}, 0.0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_opens_a_connection_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    pid = os.fork()
    if pid == 0:
        store.merge({"a": adding(b"2")}, 0.0)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    store.merge({"a": adding(b"3")}, 0.0)
    assert store.read(-1).values == {"a": b"123"}
    store.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_waits_for_the_transaction_of_another_thread(tmp_path: Path) -> None:
    store = Store(tmp_path)
    is_writing, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with store.lock, store.writing(0.0) as writing:
            is_writing.set()
            go_on.wait(0.05)
            writing.merge({"a": adding(b"1")})

    thread = threading.Thread(target=write)
    thread.start()
    assert is_writing.wait(120.0)
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        store.merge({"a": adding(b"2")}, 0.0)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    thread.join()
    assert store.read(-1).values == {"a": b"12"}
    store.close()


def test_bytes_changed_within_a_value_are_damage(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"0123456789" * 100)}, 0.0)
    with sqlite3.connect(store.path) as other:
        other.execute("UPDATE state SET value = CAST(replace(value, '456', '465') AS BLOB)")
    other.close()
    with pytest.raises(LostError, match="not what was written"):
        store.read(-1)
    assert store.read(-1).values == {}
    store.close()


def test_of_two_who_see_damage_one_sets_the_file_aside(tmp_path: Path) -> None:
    one, two = Store(tmp_path), Store(tmp_path)
    for store in (one, two):
        store.merge({"a": adding(b"1" * 10_000)}, 0.0)
    with sqlite3.connect(one.path) as other:
        other.execute("UPDATE state SET checksum = 0")
    other.close()
    for store in (one, two):
        with pytest.raises(LostError):
            store.read(-1)
    for store in (one, two):
        store.merge({"a": adding(b"2")}, 0.0)
    assert one.read(-1).values == {"a": b"22"}
    assert len(list(tmp_path.glob(f"{FILE}.damaged-*"))) == 1
    one.close()
    two.close()


def test_a_newer_version_is_noticed_while_the_file_is_open(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.merge({"a": adding(b"1")}, 0.0)
    newer = sqlite3.connect(store.path, isolation_level=None)
    newer.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema 99 is of a newer mlmon-exporter"):
        store.merge({"a": adding(b"2")}, 0.0)
    newer.execute("PRAGMA user_version = 1")
    newer.close()
    store.merge({"a": adding(b"3")}, 0.0)
    assert store.read(-1).values == {"a": b"13"}
    store.close()


def test_keys_are_found_and_forgotten_by_how_they_start(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = ['part ["m","1",0]', 'part ["m","1",1]', 'part ["m","11",0]', 'part ["m","1é"]', "other"]
    store.merge({key: adding(b"1") for key in keys}, 0.0)
    with store.writing(1.0) as writing:
        assert sorted(writing.keys("part ")) == sorted(keys[:4])
        assert writing.get("other") == Value(b"1")
        assert writing.get("part ") is None
        writing.forget('part ["m","1",')
    assert set(store.read(-1).values) == set(keys[2:])
    store.close()
