"""Ids of predictions: unlike any other, in any process, and safe in a header."""

from __future__ import annotations

import os
import warnings

import pytest

from mlmon_exporter.prediction_ids import PredictionIds, valid_id


def test_ids_differ_within_a_maker_and_between_makers() -> None:
    makers = [PredictionIds() for _ in range(50)]
    ids = [maker.new() for maker in makers for _ in range(50)]
    assert len(set(ids)) == len(ids)


def test_a_new_id_is_a_valid_one() -> None:
    new = PredictionIds().new()
    assert valid_id(new.encode()) == new


@pytest.mark.parametrize("value", [b"a", b"order-7/A~!", b"x" * 128])
def test_up_to_128_visible_ascii_characters_are_an_id(value: bytes) -> None:
    assert valid_id(value) == value.decode()


@pytest.mark.parametrize(
    "value", [None, b"", b"x" * 129, b"a b", b"a\t", b"a\n", b"\xff", b"\x00", b"\x7f"]
)
def test_anything_else_is_none(value: bytes | None) -> None:
    assert valid_id(value) is None


def test_a_forked_process_gives_other_ids() -> None:
    ids = PredictionIds()
    prefix = ids.new().partition("-")[0]
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Later Pythons warn of forks while there are threads; the child here only writes.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.write(write, ids.new().encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        forked = pipe.read()
    os.waitpid(child, 0)
    assert valid_id(forked)
    assert forked.partition(b"-")[0] != prefix.encode()
    assert ids.new().partition("-")[0] == prefix


def test_a_maker_that_is_gone_is_not_kept_for_the_sake_of_forks() -> None:
    import gc
    import weakref

    ids = PredictionIds()
    gone = weakref.ref(ids)
    del ids
    gc.collect()
    assert gone() is None
