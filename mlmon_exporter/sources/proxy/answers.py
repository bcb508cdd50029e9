"""The server's direction of an HTTP/1.1 connection, parsed."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import httptools

from mlmon_exporter.sources.turn import Turn

from .heads import HEAD_END, Head, Heads
from .requests import Requests
from .turns import Turns, UnheardError

MAX_HEAD = 64 * 1024
"""Bytes kept of a head that is not complete."""


class Answers:
    """Takes the server's direction."""

    def __init__(self, turns: Turns, known: Heads[int], requests: Requests) -> None:
        self._turns = turns
        self._known = known
        self._requests = requests
        self.is_tunnel = False
        """An upgrade was accepted: what follows is not HTTP/1.1."""
        self._newest: Turn | None = None
        """The turn whose answer was complete last, if another may follow it."""
        self._head = b""
        """Bytes of an answer to HEAD whose head is not complete."""
        self._is_open = False
        """True if an answer's head has come, and its end has not."""
        self._is_between = True
        """True if the parser waits for an answer's first byte."""
        self._renew()

    def _renew(self) -> None:
        self._is_between = True
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        while data:
            if not self._is_open and self._turns.current.method == "HEAD":
                data = self._feed_head(data)
                continue
            if self._is_between and (found := self._known.find(data)) is not None:
                self._take(*found)
                return
            # An answer to HEAD may follow in these bytes, and only its turn tells where it ends.
            size = 1 if self._turns.has_head_later else len(data)
            try:
                self._parse(data[:size])
            except httptools.HttpParserUpgrade:
                self.is_tunnel = True
                self._requests.let_go()
                return
            data = data[size:]

    def _parse(self, data: bytes) -> None:
        was_between = self._is_between
        self._newest = None
        self._parser.feed_data(data)
        if was_between and self._is_between:
            self._learn(data, self._newest)

    def _learn(self, data: bytes, turn: Turn | None) -> None:
        if turn is not None:
            self._known.learn(data, turn.status, turn.response_headers, turn.response_size)

    def _take(self, head: Head[int], body: bytes) -> None:
        turn = self._turns.current
        turn.response_headers = head.headers
        turn.start(head.line, perf_counter())
        self._requests.resume()
        self._turns.answer_begins(turn)
        turn.take_response(body)
        self._turns.finish()

    def _feed_head(self, data: bytes) -> bytes:
        """Read one answer without a body; return what follows it."""
        head, end, rest = (self._head + data).partition(HEAD_END)
        if not end:
            if len(head) > MAX_HEAD:
                raise UnheardError("expected the end of an answer's head")
            self._head = head
            return b""
        self._head = b""
        self._renew()
        self._parser.feed_data(head + end)
        if self._is_open:  # not an interim answer, nor one that says itself that it has no body
            self._is_open = False
            self._turns.finish()
        self._renew()
        return rest

    def end(self) -> None:
        """End an answer that states no length."""
        turn = self._turns.current if self._is_open else None
        if turn is not None and not turn.has_length:
            self._is_open = False
            self._turns.finish()

    # Called by httptools.

    def on_message_begin(self) -> None:
        self._is_between = False
        self._turns.current.response_headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        turn = self._turns.current
        if not self._is_open:
            turn.response_headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        turn = self._turns.current
        turn.start(status, perf_counter())
        self._is_open = True
        if status != 101:
            self._requests.resume()
        self._turns.answer_begins(turn)

    def on_body(self, body: bytes) -> None:
        self._turns.current.take_response(body)

    def on_message_complete(self) -> None:
        self._is_between = True
        if self._is_open:
            self._is_open = False
            self._newest = self._turns.current if self._parser.should_keep_alive() else None
            self._turns.finish()
