"""Whatever is read, it is used or refused by the error that is documented, and nothing else."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .inputs import INPUTS, JUNK


@cache
def seeds(name: str) -> list[bytes]:
    return INPUTS[name].seeds()


@pytest.mark.parametrize("name", INPUTS)
def test_what_is_valid_breaks_no_rule(name: str) -> None:
    for seed in seeds(name):
        INPUTS[name].rule(seed)


@pytest.mark.parametrize("name", INPUTS)
@settings(max_examples=150)
@given(st.data())
def test_what_is_valid_but_for_some_bytes_breaks_no_rule(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(seeds(name)))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 8)))
    INPUTS[name].rule(seed[:start] + data.draw(st.binary(max_size=8)) + seed[end:])


@pytest.mark.parametrize("name", ["reference", "state", "feedback", "events"])
@settings(max_examples=200)
@given(st.data())
def test_what_is_valid_but_for_some_values_breaks_no_rule(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(seeds(name)))
    start = seed.find(b"{") if name == "reference" else 1
    try:
        whole = [json.loads(seed[start:])]
    except ValueError:
        return
    for _ in range(data.draw(st.integers(1, 2))):
        _change(whole, data)
    INPUTS[name].rule(seed[:start] + json.dumps(whole[0]).encode())


def _change(whole: list[Any], data: st.DataObject) -> None:
    """Put junk in the place of one value, at any depth, or take it away."""
    holder: Any = whole
    key: Any = 0
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.integers(0, 4)):
        holder = holder[key]
        keys = [*holder] if isinstance(holder, dict) else [*range(len(holder))]
        key = data.draw(st.sampled_from(keys))
    if holder is not whole and data.draw(st.integers(0, 4)) == 0:
        del holder[key]
    else:
        holder[key] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
