"""Facts about what is kept of a streamed answer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats.event_stream import GAP
from mlmon_exporter.sources.asgi.stream import StreamedAnswer

PARTS = st.lists(st.binary(max_size=40), max_size=30)


def taken(parts: list[bytes], limit: int, *, is_packed: bool = False) -> StreamedAnswer:
    answer = StreamedAnswer(0.0, limit, is_packed=is_packed)
    for part in parts:
        answer.take(part)
    return answer


@given(PARTS, st.integers(0, 500))
def test_both_ends_are_kept_within_the_limit(parts: list[bytes], limit: int) -> None:
    kept = taken(parts, limit).parts()
    whole = b"".join(parts)
    assert kept is not None
    if len(whole) <= limit:
        assert b"".join(kept) == whole
        return
    gap = kept.index(GAP)
    start, end = b"".join(kept[:gap]), b"".join(kept[gap + 1 :])
    assert whole.startswith(start)
    assert whole.endswith(end)
    assert len(start) <= limit // 2
    assert len(end) <= limit // 2
    # No more is let go than the part that did not fit.
    longest = max(map(len, parts))
    assert len(end) > limit // 2 - longest
    assert len(start) > limit // 2 - longest


@given(PARTS, st.integers(0, 500))
def test_never_more_than_the_limit_is_held(parts: list[bytes], limit: int) -> None:
    answer = StreamedAnswer(0.0, limit)
    for part in parts:
        answer.take(part)
        held = answer.parts()
        assert held is not None
        assert sum(len(one) for one in held if one is not GAP) <= limit


def test_a_compressed_answer_is_kept_whole_or_not_at_all() -> None:
    assert taken([b"abc", b"def"], 6, is_packed=True).parts() == [b"abc", b"def"]
    assert taken([b"abc", b"def", b"g"], 6, is_packed=True).parts() is None


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ([b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"], 2),
        ([b": ping\n\n", b"data: 1\n\n", b"", b": ping\n\n", b"data: 2\n\n"], 2),
        ([b": ping\n\n", b"data: [DONE]\n\n"], 0),
        ([b"tok0 ", b"tok1 "], 2),  # BentoML frames nothing
    ],
)
def test_what_carries_no_token_is_not_timed(parts: list[bytes], tokens: int) -> None:
    first, between = taken(parts, 100).times.cells()
    assert sum(first[:-1]) + sum(between[:-1]) == tokens


def test_parts_are_kept_by_reference() -> None:
    parts = [b"a" * 10, b"b" * 10]
    kept = taken(parts, 100).parts()
    assert kept is not None
    assert all(a is b for a, b in zip(kept, parts, strict=True))
    assert not any(a == b for a, b in pairwise(kept))
