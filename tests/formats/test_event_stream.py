"""Facts about event streams, against a reader that follows the specification step by step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats.event_stream import events, is_stream

LINES = st.lists(
    st.sampled_from(
        [b"", b"data: a", b"data:b", b"data", b"data: ", b"data:  c", b": x", b"id: 1", b"dataa: d",
         b"event: e", b"data: {}", b"\xef\xbb\xbfdata: f"]
    ),
    max_size=12,
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def by_the_book(lines: list[bytes]) -> list[bytes]:
    """WHATWG HTML, 9.2.6: a data buffer that each field adds to and an empty line sends off."""
    found: list[bytes] = []
    buffer = b""
    has_data = False
    for line in lines:
        if not line:
            if has_data:
                found.append(buffer.removesuffix(b"\n"))
            buffer, has_data = b"", False
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            if field == b"data":
                buffer += value.removeprefix(b" ") + b"\n"
                has_data = True
    return found


@given(LINES, ENDS)
def test_events_are_those_of_the_specification(lines: list[bytes], end: bytes) -> None:
    content = b"".join(line + end for line in lines)
    if lines and lines[0].startswith(b"\xef\xbb\xbf"):
        lines = [lines[0].removeprefix(b"\xef\xbb\xbf"), *lines[1:]]
    assert list(events(content)) == by_the_book(lines)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_stream(content: bytes) -> None:
    assert all(type(event) is bytes for event in events(content))


def test_the_ends_of_lines_may_differ() -> None:
    assert list(events(b"data: a\r\n\r\ndata: b\n\ndata: c\r\r")) == [b"a", b"b", b"c"]


def test_an_event_that_the_end_cuts_off_is_none() -> None:
    assert list(events(b"data: a\n\ndata: b\n")) == [b"a"]
    assert list(events(b"data: a\n\ndata: b")) == [b"a"]


def test_json_is_no_stream() -> None:
    assert not any(map(is_stream, [b"", b"{}", b'"data: x"', b"[1]", b"null"]))
    assert all(map(is_stream, [b"data: {}\n\n", b": ping\n\n", b"event: x\ndata: 1\n\n"]))
