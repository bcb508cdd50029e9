"""Turns heard on a connection are the requests and answers that it carried, however cut."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.sources.proxy.heads import KnownHeads
from mlmon_exporter.sources.proxy.http1 import Http1Ear
from mlmon_exporter.sources.proxy.requests import MAX_HELD
from mlmon_exporter.sources.proxy.turns import MAX_TURNS, Turns, UnheardError
from mlmon_exporter.sources.turn import Turn

LIMIT = 1000


class Said(NamedTuple):
    """A request and its answer: what they hold, and their bytes."""

    method: str
    body: bytes
    status: int
    answer: bytes
    asked: bytes
    answered: bytes


def chunked(body: bytes, size: int, trailer: bool) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    lines = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return lines + b"0\r\n" + (b"x-check: 1\r\n" if trailer else b"") + b"\r\n"


def framed(head: bytes, body: bytes, how: str) -> bytes:
    if how == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if how == "chunks":
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, 7, trailer=True)
    return head + b"\r\n"


@st.composite
def exchanges(draw: st.DrawFn) -> Said:
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "POST", "PUT", "DELETE"]))
    has_body = method in ("POST", "PUT")
    body = draw(st.binary(max_size=60)) if has_body else b""
    how = draw(st.sampled_from(["length", "chunks"])) if has_body else "none"
    asked = framed(f"{method} /v1/predict?x=1 HTTP/1.1\r\nHost: m\r\n".encode(), body, how)
    status = draw(st.sampled_from([200, 200, 201, 204, 304, 400, 404, 500, 503]))
    answer = draw(st.binary(max_size=60))
    frame = draw(st.sampled_from(["length", "chunks"]))
    interim = draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2))
    answered = b"".join(b"HTTP/1.1 %d Wait\r\nX: y\r\n\r\n" % one for one in interim)
    head = b"HTTP/1.1 %d Text\r\nServer: s\r\n" % status
    if status in (204, 304):
        answer = b""
        answered += head + b"\r\n"
    elif method == "HEAD":
        answered += head + b"Content-Length: 1234\r\n\r\n"
        answer = b""
    else:
        answered += framed(head, answer, frame)
    return Said(method, body, status, answer, asked, answered)


def heard(turns: list[Turn]) -> list[tuple[str, bytes, int, bytes]]:
    return [
        (
            turn.method,
            b"".join(turn.request_chunks or []),
            turn.status,
            b"".join(turn.response_chunks or []),
        )
        for turn in turns
    ]


def ear(turns: list[Turn], limit: int = LIMIT, known: KnownHeads | None = None) -> Http1Ear:
    def keep(turn: Turn) -> None:
        turn.response_chunks = []

    waiting = Turns(lambda turn: None, keep, turns.append, limit)
    return Http1Ear(waiting, known or KnownHeads.none())


@given(st.lists(exchanges(), min_size=1, max_size=6), st.data())
def test_any_cut_gives_the_same_turns(said: list[Said], data: st.DataObject) -> None:
    turns: list[Turn] = []
    listener = ear(turns)
    for one in pipelined(said, data):
        for stream, feed in ((one.asked, listener.asked), (one.answered, listener.answered)):
            cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=5)))
            for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
                feed(stream[start:end])
    listener.closed(by_client=True)
    expected = [(s.method, s.body if s.method == "POST" else b"", s.status, s.answer) for s in said]
    assert heard(turns) == expected
    assert all(turn.is_answered and turn.is_read and not turn.has_left for turn in turns)
    assert [turn.request_size for turn in turns] == [len(s.body) for s in said]
    assert [turn.response_size for turn in turns] == [len(s.answer) for s in said]


def pipelined(said: list[Said], data: st.DataObject) -> list[Said]:
    """Some requests are sent together, and answered together."""
    if not data.draw(st.booleans()):
        return said
    asked = b"".join(s.asked for s in said)
    answered = b"".join(s.answered for s in said)
    return [said[0]._replace(asked=asked, answered=answered)]


POST = b"POST /p HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    turns: list[Turn] = []
    listener = ear(turns)
    listener.asked(POST)
    listener.answered(b"HTTP/1.1 200 OK\r\n\r\npart one, ")
    listener.answered(b"part two")
    assert turns == []
    listener.ended(by_client=False)
    listener.closed(by_client=False)
    assert heard(turns) == [("POST", b"{}", 200, b"part one, part two")]
    assert turns[0].is_answered


def test_an_answer_that_is_cut_off_is_not_whole() -> None:
    turns: list[Turn] = []
    listener = ear(turns)
    listener.asked(POST)
    listener.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
    listener.ended(by_client=False)
    listener.closed(by_client=True)  # as a client does that sees the end
    assert [(t.status, t.is_answered, t.has_left) for t in turns] == [(200, False, False)]


def test_a_client_that_leaves_before_its_answer_has_left() -> None:
    turns: list[Turn] = []
    listener = ear(turns)
    listener.asked(POST + POST)
    listener.closed(by_client=True)
    assert [(t.status, t.is_read, t.has_left) for t in turns] == [(0, True, True)] * 2


def test_an_answer_that_comes_before_the_request_is_sent_ends_the_turn_unread() -> None:
    turns: list[Turn] = []
    listener = ear(turns)
    listener.asked(b"POST /p HTTP/1.1\r\nContent-Length: 100\r\n\r\npart")
    listener.answered(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert [(t.status, t.is_read, t.is_answered) for t in turns] == [(413, False, True)]


def test_bodies_over_the_limit_are_counted_and_not_kept() -> None:
    turns: list[Turn] = []
    listener = ear(turns, limit=10)
    listener.asked(framed(b"POST /p HTTP/1.1\r\n", b"x" * 11, "chunks"))
    listener.answered(framed(b"HTTP/1.1 200 OK\r\n", b"y" * 11, "chunks"))
    (turn,) = turns
    assert (turn.request_size, turn.response_size) == (11, 11)
    assert (turn.request_chunks, turn.response_chunks) == (None, None)


UPGRADE = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def test_after_an_accepted_upgrade_nothing_is_heard() -> None:
    turns: list[Turn] = []
    listener = ear(turns)
    listener.asked(UPGRADE)
    switching = b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05hello"
    listener.answered(switching)
    for _ in range(3):
        listener.asked(b"\x81\x85\x00\x00\x00\x00hello")
        listener.answered(b"\x81\x05hello")
    listener.closed(by_client=True)
    assert [(turn.method, turn.status, turn.is_answered) for turn in turns] == [("GET", 101, True)]


def test_a_server_that_ignores_an_upgrade_is_heard_on() -> None:
    turns: list[Turn] = []
    listener = ear(turns)
    listener.asked(UPGRADE.replace(b"websocket", b"h2c") + POST)
    listener.answered(framed(b"HTTP/1.1 200 OK\r\n", b"plain", "length"))
    listener.answered(framed(b"HTTP/1.1 200 OK\r\n", b"next", "length"))
    expected = [("GET", b"", 200, b"plain"), ("POST", b"{}", 200, b"next")]
    assert heard(turns) == expected


@pytest.mark.parametrize("how", ["length", "chunks"])
@pytest.mark.parametrize("size", [2, MAX_HELD + 1])
def test_a_request_that_offers_an_upgrade_may_have_a_body(how: str, size: int) -> None:
    """Java's HttpClient offers HTTP/2 with the first request of each connection."""
    turns: list[Turn] = []
    listener = ear(turns, limit=size + LIMIT)
    offer = b"POST /p HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    asked = framed(offer, b"x" * size, how) + POST
    for start in range(0, len(asked), 5000):
        listener.asked(asked[start : start + 5000])
    listener.answered(framed(b"HTTP/1.1 200 OK\r\n", b"plain", "length"))
    listener.answered(framed(b"HTTP/1.1 200 OK\r\n", b"next", "length"))
    expected = [("POST", b"x" * size, 200, b"plain"), ("POST", b"{}", 200, b"next")]
    assert heard(turns) == expected
    assert [(turn.target, turn.is_read) for turn in turns] == [(b"/p", True)] * 2


@pytest.mark.parametrize(
    "asked",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        UPGRADE + b"x" * (MAX_HELD + 1),
        b"GET / HTTP/1.1\r\n\r\n" * (MAX_TURNS + 1),
    ],
)
def test_what_is_no_http_is_said_and_not_guessed(asked: bytes) -> None:
    listener = ear([])
    with pytest.raises(Exception, match=r".") as error:  # httptools has errors of its own
        listener.asked(asked)
    assert error.type is UnheardError or error.type.__module__.startswith("httptools")


def test_an_answer_that_nobody_asked_for_is_said() -> None:
    with pytest.raises(UnheardError, match="expected a request before its answer"):
        ear([]).answered(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
