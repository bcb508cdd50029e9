"""Listens to HTTP/1.1 between a client and its server, and makes turns: a request and its answer.

Parsing is httptools' (llhttp, as Node and uvicorn use it). What it cannot say is here: which answer
has no body because HEAD asked, which one ends with the connection, and when the connection stops
being HTTP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import httptools

from mlmon_exporter.sources.turn import Turn

MAX_TURNS = 256
"""Requests that may wait for their answer on one connection; a client that sends more is relayed
unheard."""
MAX_HELD = 64 * 1024
"""Bytes kept while it is not known whether an upgrade is accepted, or a head is not complete."""
HEAD_END = b"\r\n\r\n"


class UnheardError(Exception):
    """A connection that is not, or is no longer, HTTP/1.1 as we know it."""


class Http1Ear:
    """Hears one connection. Each turn is handed to `on_turn` once, when it has ended."""

    def __init__(
        self,
        on_request: Callable[[Turn], None],
        on_answer: Callable[[Turn], None],
        on_turn: Callable[[Turn], None],
        max_body_bytes: int,
        on_forget: Callable[[Turn], None] = lambda turn: None,
    ) -> None:
        """Begin with a connection that has carried nothing.

        Args:
            on_request: Called when the head of a turn's request has come.
            on_answer: Called when the head of its answer has come.
            on_turn: Called when it has ended. A turn without a whole head is not told.
            max_body_bytes: Bodies that are longer are not kept.
            on_forget: Called instead where nobody will hear the end of a turn that was told.
        """
        self._on_request = on_request
        self._on_answer = on_answer
        self._on_turn = on_turn
        self._on_forget = on_forget
        self._limit = max_body_bytes
        self._turns: deque[Turn] = deque()
        """Turns without a whole answer, oldest first."""
        self._requests = _Requests(self)
        self._answers = _Answers(self)
        self._is_tunnel = False

    def asked(self, data: bytes) -> None:
        """Hear what the client sent."""
        if not self._is_tunnel:
            self._requests.feed(data)

    def answered(self, data: bytes) -> None:
        """Hear what the server sent."""
        if not self._is_tunnel:
            self._answers.feed(data)

    def ended(self, *, by_client: bool) -> None:
        """Hear that one side sends no more: a server that does so answers nobody any more."""
        if not by_client:
            self._answers.end()
            self._give_up(has_left=False)

    def closed(self, *, by_client: bool) -> None:
        """Hear that the connection is gone: an answer that was under way is not whole."""
        if not by_client:
            self._answers.end()
        self._give_up(has_left=by_client)

    def _give_up(self, *, has_left: bool) -> None:
        while self._turns:
            turn = self._turns.popleft()
            turn.has_left = has_left
            if turn.is_asked:
                self._end(turn)

    def forget(self) -> None:
        """Let go the turns that are under way: nobody will hear them end."""
        for turn in self._turns:
            self._on_forget(turn)
        self._turns.clear()

    def begin(self) -> Turn:
        """Begin a turn: a request's head is coming."""
        if len(self._turns) >= MAX_TURNS:
            raise UnheardError(f"expected at most {MAX_TURNS} requests at a time")
        turn = Turn(self._limit)
        self._turns.append(turn)
        return turn

    def current(self) -> Turn:
        """Return the turn that the next answer belongs to."""
        if not self._turns:
            raise UnheardError("expected a request before its answer")
        return self._turns[0]

    def awaits_head(self) -> bool:
        """Return whether a later turn asked with HEAD."""
        return len(self._turns) > 1 and any(turn.method == "HEAD" for turn in self._turns)

    def request_begins(self, turn: Turn) -> None:
        """Report that a request's head is complete."""
        self._on_request(turn)

    def answer_begins(self, turn: Turn) -> None:
        """Report that an answer's head is complete."""
        self._on_answer(turn)

    def finish(self) -> None:
        """End the oldest turn: its answer is whole."""
        turn = self._turns.popleft()
        turn.is_answered = True
        self._end(turn)

    def _end(self, turn: Turn) -> None:
        try:
            self._on_turn(turn)
        except Exception:
            self._on_forget(turn)
            raise

    def become_tunnel(self) -> None:
        """Hear no more: what follows an accepted upgrade is not HTTP/1.1."""
        self._is_tunnel = True
        self._requests.let_go()

    def refuse_upgrade(self) -> None:
        """Go on with HTTP/1.1: the server answered a wish to upgrade as a plain request."""
        self._requests.resume()


class _Requests:
    """The client's direction."""

    def __init__(self, ear: Http1Ear) -> None:
        self._ear = ear
        self._turn: Turn | None = None
        self._held: bytes | None = None
        """Bytes after a request that asked for an upgrade, until that is answered."""
        self._parser: Any = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        if self._held is not None:
            self._hold(self._held + data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._hold(data[upgrade.args[0] :])

    def _hold(self, data: bytes) -> None:
        if len(data) > MAX_HELD:
            raise UnheardError("expected an answer to the upgrade first")
        self._held = data

    def resume(self) -> None:
        """Read on, since the upgrade was not accepted."""
        held, self._held = self._held, None
        if held is not None:
            self._parser = httptools.HttpRequestParser(self)
            self.feed(held)

    def let_go(self) -> None:
        self._held = b""

    # Called by httptools.

    def on_message_begin(self) -> None:
        self._turn = self._ear.begin()

    def on_url(self, url: bytes) -> None:
        if self._turn is not None:
            self._turn.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._turn is not None and not self._turn.is_asked:
            self._turn.request_headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._turn is not None:
            self._turn.ask(self._parser.get_method().decode("ascii", "replace"))
            self._ear.request_begins(self._turn)

    def on_body(self, body: bytes) -> None:
        if self._turn is not None:
            self._turn.take_request(body)

    def on_message_complete(self) -> None:
        if self._turn is not None:
            self._turn.is_read = True
            self._turn = None


class _Answers:
    """The server's direction."""

    def __init__(self, ear: Http1Ear) -> None:
        self._ear = ear
        self._head = b""
        """Bytes of an answer to HEAD whose head is not complete."""
        self._is_open = False
        """True if an answer's head has come, and its end has not."""
        self._renew()

    def _renew(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        while data:
            if not self._is_open and self._ear.current().method == "HEAD":
                data = self._feed_head(data)
                continue
            # An answer to HEAD may follow in these bytes, and only its turn tells where it ends.
            size = 1 if self._ear.awaits_head() else len(data)
            try:
                self._parser.feed_data(data[:size])
            except httptools.HttpParserUpgrade:
                self._ear.become_tunnel()
                return
            data = data[size:]

    def _feed_head(self, data: bytes) -> bytes:
        """Read one answer without a body; return what follows it."""
        head, end, rest = (self._head + data).partition(HEAD_END)
        if not end:
            if len(head) > MAX_HELD:
                raise UnheardError("expected the end of an answer's head")
            self._head = head
            return b""
        self._head = b""
        self._renew()
        self._parser.feed_data(head + end)
        if self._is_open:  # not an interim answer, nor one that says itself that it has no body
            self._is_open = False
            self._ear.finish()
        self._renew()
        return rest

    def end(self) -> None:
        """End an answer that states no length."""
        turn = self._ear.current() if self._is_open else None
        if turn is not None and not turn.has_length:
            self._is_open = False
            self._ear.finish()

    # Called by httptools.

    def on_message_begin(self) -> None:
        self._ear.current().response_headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        turn = self._ear.current()
        if not self._is_open:
            turn.response_headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        turn = self._ear.current()
        turn.start(status, perf_counter())
        self._is_open = True
        if status != 101:
            self._ear.refuse_upgrade()
        self._ear.answer_begins(turn)

    def on_body(self, body: bytes) -> None:
        self._ear.current().take_response(body)

    def on_message_complete(self) -> None:
        if self._is_open:
            self._is_open = False
            self._ear.finish()
