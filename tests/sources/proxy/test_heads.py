"""Heads that were read before are known by their bytes, if what follows them is certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.sources.proxy.heads import MAX_BYTES, MOST, KnownHeads
from mlmon_exporter.sources.turn import Turn

from .test_http1 import Said, chunked, ear, exchanges, heard

POST = b"POST /predict HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 3\r\n\r\n0.5"

CLOSE = b"Connection: close"


class Conversation:
    """A connection of a relay whose earlier ones have left their heads."""

    def __init__(self, known: KnownHeads) -> None:
        self.turns: list[Turn] = []
        self.ear = ear(self.turns, known=known)


def pieces(stream: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=2)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(st.lists(exchanges(), min_size=1, max_size=3), st.data())
def test_what_was_heard_before_gives_the_same_turns(said: list[Said], data: st.DataObject) -> None:
    known = KnownHeads.none()
    for _ in range(3):
        again = Conversation(known)
        for one in said * 2:
            for stream, feed in ((one.asked, again.ear.asked), (one.answered, again.ear.answered)):
                for piece in pieces(stream, data):
                    feed(piece)
        bodies = [s.body if s.method == "POST" else b"" for s in said]
        expected = [(s.method, b, s.status, s.answer) for s, b in zip(said, bodies, strict=True)]
        assert heard(again.turns) == expected * 2
        assert all(turn.is_answered and turn.is_read for turn in again.turns)
        assert [t.request_size for t in again.turns] == [len(s.body) for s in said] * 2
        assert [t.response_size for t in again.turns] == [len(s.answer) for s in said] * 2
        once = [(t.target, t.request_headers, t.response_headers) for t in again.turns]
        assert once[: len(said)] == once[len(said) :]


def test_the_same_head_is_read_once() -> None:
    known = KnownHeads.none()
    for body in (b"{}", b"[]", b"12"):
        one = Conversation(known)
        one.ear.asked(POST.replace(b"{}", body))
        one.ear.answered(OK)
        assert heard(one.turns) == [("POST", body, 200, b"0.5")]
        assert one.turns[0].request_headers == [(b"host", b"m"), (b"content-length", b"2")]
        assert one.turns[0].response_headers == [(b"server", b"s"), (b"content-length", b"3")]
    found = known.requests.find(POST)
    assert found is not None
    assert found[0].line == ("POST", b"/predict")
    assert found[1] == b"{}"


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (POST + POST, OK + OK),
        (POST[:-1], OK[:-1]),
        (b"\r\n" + b"\r\n", OK),
        (POST.replace(b"Host: m", CLOSE), OK.replace(b"Server: s", CLOSE)),
        (POST.replace(b"1.1", b"1.0"), OK.replace(b"1.1", b"1.0")),
        (POST.replace(b": 2", b": 02"), OK.replace(b": 3", b": 03")),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"{}", 7, False),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"{}", 7, False),
        ),
        (
            POST.replace(b"Host: m", b"Upgrade: h2c\r\nConnection: upgrade"),
            b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        ),
        (POST.replace(b"Host: m", b"Host: " + b"m" * MAX_BYTES), b"HTTP/1.1 200 OK\r\n\r\n"),
        (b"HEAD / HTTP/1.1\r\nHost: m\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)  # fmt: skip
def test_where_a_length_is_not_certain_the_head_is_read_anew(asked: bytes, answered: bytes) -> None:
    known = KnownHeads.none()
    one = Conversation(known)
    one.ear.asked(asked)
    if one.ear._turns._waiting:
        one.ear.answered(answered)
    assert asked.startswith(b"HEAD") or known.requests.find(asked) is None
    assert known.answers.find(answered) is None


def test_an_answer_to_head_has_no_body_whatever_was_heard_before() -> None:
    known = KnownHeads.none()
    first, second = Conversation(known), Conversation(known)
    first.ear.asked(POST)
    first.ear.answered(OK)
    second.ear.asked(b"HEAD /predict HTTP/1.1\r\nHost: m\r\n\r\n" + POST)
    second.ear.answered(OK.removesuffix(b"0.5") + OK)
    assert [(t.method, t.status, t.response_size) for t in second.turns] == [
        ("HEAD", 200, 0),
        ("POST", 200, 3),
    ]


def test_few_heads_are_kept() -> None:
    known = KnownHeads.none()
    one = Conversation(known)
    for number in range(3 * MOST):
        one.ear.asked(POST.replace(b"Host: m", b"Host: %d" % number))
        one.ear.answered(OK)
        assert len(known.requests._known) <= MOST
    assert len(one.turns) == 3 * MOST
