"""Facts about the keys and values of the state."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.processes import CpuTime, Process
from mlmon_exporter.core.keys import TallyKey
from mlmon_exporter.state.errors import UnreadableError
from mlmon_exporter.state.store import Value
from mlmon_exporter.state.values import (
    Recovery,
    merging,
    read,
    read_tally_key,
    read_worker,
    tallies_of,
    tally_key,
    worker_value,
)

KEY = TallyKey('2"', 0, "abc", 3600.0, 7)


def test_the_key_of_a_tally_names_it_and_starts_as_all_of_its_version() -> None:
    key = tally_key("m", KEY)
    assert read_tally_key(key) == ("m", KEY)
    assert key.startswith(tallies_of(("m", '2"')))
    assert not key.startswith(tallies_of(("m", "2")))


@pytest.mark.parametrize("key", ["part", "part ", "part [1]", 'part ["m", 1, 0, "", 0, 0]', "x"])
def test_another_key_names_none(key: str) -> None:
    with pytest.raises(UnreadableError):
        read_tally_key(key)


def test_a_value_is_added_to_a_stored_one() -> None:
    stored = merging(CpuTime(1.0))(None)
    assert read(CpuTime(), "cpu", merging(CpuTime(2.5))(stored).data).seconds == 3.5


def test_a_value_that_cannot_be_added_to_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="expected what was written"):
        merging(CpuTime(1.0))(Value(b"[]"))


def test_only_the_first_process_adds_what_it_knows_of_a_lost_file() -> None:
    stored = merging(CpuTime(2.0))(None)
    mark = None
    for known, total in ((5.0, 7.0), (6.0, 7.0), (8.0, 8.0)):
        recovery = Recovery(now=100.0)
        mark = recovery.claim(mark)
        stored = merging(CpuTime(known), recovery)(stored)
        assert read(CpuTime(), "cpu", stored.data).seconds == total
    assert mark == Value(b"100.0")


def test_dead_versions_are_forgotten_as_counts_are_added() -> None:
    counts = [Feedback(), Feedback()]
    for each, version in zip(counts, "12", strict=True):
        each.kpi("m", version, "revenue", 1.0)
    stored = merging(counts[0])(None)
    merged = read(Feedback(), "feedback", merging(counts[1], dead={("m", "1")})(stored).data)
    assert merged.named() == {("m", "2")}


def test_a_process_is_read_back_and_expires() -> None:
    process = Process({"process_open_fds": 7.0}, [(["m", "1", "/p"], 2)])
    value = worker_value(process, 100.0)
    assert read_worker(value.data) == (100.0, process)
    assert value.expires == 3700.0
