"""Facts about bodies of several gRPC messages: all come back, in order, each decoded."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats.errors import FormatError
from mlmon_exporter.formats.grpc_messages import framed, split

CODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"": bytes,
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
}
MESSAGES = st.lists(st.tuples(st.binary(max_size=300), st.sampled_from([*CODERS])), max_size=8)


@given(MESSAGES)
def test_messages_come_back_whatever_compressed_each(messages: list[tuple[bytes, bytes]]) -> None:
    body = b"".join(framed(CODERS[coding](message), coding) for message, coding in messages)
    assert split(body, 10_000) == [message for message, _ in messages]


@pytest.mark.parametrize("coding", CODERS)
def test_together_they_are_no_longer_than_a_body_may_be(coding: bytes) -> None:
    body = framed(CODERS[coding](bytes(600)), coding) * 2
    assert len(split(body, 1200)) == 2
    with pytest.raises(FormatError, match="expected"):
        split(body, 1199)


def test_what_is_no_body_of_messages_is_an_error() -> None:
    with pytest.raises(FormatError, match="expected the coding of a message"):
        split(b"\x03\0\0\0\0", 1000)


def test_a_message_that_is_not_compressed_as_it_says_is_an_error() -> None:
    with pytest.raises(FormatError, match="expected compressed bytes"):
        split(framed(b"no gzip", b"gzip"), 1000)
