"""Ids of predictions: unlike any other, in any process, and safe in a header."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlmon_exporter.sources.ids import PredictionIds, valid_id


def test_ids_differ_within_a_maker_and_between_makers() -> None:
    makers = [PredictionIds() for _ in range(50)]
    ids = [maker.new() for maker in makers for _ in range(50)]
    assert len(set(ids)) == len(ids)


def test_a_new_id_is_a_valid_one() -> None:
    new = PredictionIds().new()
    assert valid_id(new.encode()) == new


def test_no_id_tells_another() -> None:
    maker = PredictionIds()
    ids = [maker.new() for _ in range(2000)]
    digits = np.array([[int(digit, 16) for digit in each] for each in ids])
    assert digits.shape == (2000, 24)
    # Each place holds each digit as often as chance has it: 125 times, sd 10.8.
    rows = np.array([np.bincount(place, minlength=16) for place in digits.T])
    assert np.abs(rows - 125).max() < 6 * 10.8
    # And neighbours share no more places than any two ids do: 1.5 of 24, sd 1.2.
    shared = (digits[1:] == digits[:-1]).sum(axis=1)
    assert shared.mean() == pytest.approx(1.5, abs=6 * 1.2 / 2000**0.5)


def test_threads_get_different_ids() -> None:
    maker = PredictionIds()
    with ThreadPoolExecutor(8) as pool:
        ids = [*pool.map(lambda _: [maker.new() for _ in range(2000)], range(8))]
    assert len({each for some in ids for each in some}) == 16_000


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
    ids.new()  # from here on some are made in advance
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Later Pythons warn of forks while there are threads; the child here only writes.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.write(write, "\n".join(ids.new() for _ in range(600)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        forked = pipe.read().split()
    os.waitpid(child, 0)
    assert all(valid_id(each) for each in forked)
    assert len({*forked, *(ids.new().encode() for _ in range(600))}) == 1200


def test_a_maker_that_is_gone_is_not_kept_for_the_sake_of_forks() -> None:
    import gc
    import weakref

    ids = PredictionIds()
    gone = weakref.ref(ids)
    del ids
    gc.collect()
    assert gone() is None
