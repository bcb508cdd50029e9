"""The client's direction of an HTTP/1.1 connection, parsed."""

from __future__ import annotations

from typing import Any

import httptools

from mlmon_exporter.sources.turn import Turn

from .heads import Head, Heads
from .turns import Turns, UnheardError

MAX_HELD = 64 * 1024
"""Bytes kept while it is not known whether an upgrade is accepted."""


class Requests:
    """Takes the client's direction."""

    def __init__(self, turns: Turns, known: Heads[tuple[str, bytes]]) -> None:
        self._turns = turns
        self._known = known
        self._turn: Turn | None = None
        """The turn whose request is not complete."""
        self._newest: Turn | None = None
        """The turn whose request was complete last, if another may follow it."""
        self._held: bytes | None = None
        """Bytes after a request that asked for an upgrade, until that is answered."""
        self._parser: Any = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        if self._held is not None:
            self._hold(self._held + data)
            return
        if self._turn is not None:
            self._parse(data)
        elif (found := self._known.find(data)) is not None:
            self._take(*found)
        else:
            self._newest = None
            self._parse(data)
            self._learn(data, self._newest)

    def _learn(self, data: bytes, turn: Turn | None) -> None:
        if turn is not None and self._turn is None:
            line = turn.method, turn.target
            self._known.learn(data, line, turn.request_headers, turn.request_size)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if framing := self._turns.newest.request_framing:
                self._go_on(framing)
                self.feed(rest)
            else:
                self._hold(rest)

    def _go_on(self, framing: list[tuple[bytes, bytes]]) -> None:
        """Read a body, which httptools leaves to the other protocol: it comes before that one."""
        self._turn = self._turns.newest
        self._turn.is_read = False
        self._parser = httptools.HttpRequestParser(self)
        lines = b"".join(b"%b: %b\r\n" % pair for pair in framing)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + lines + b"\r\n")

    def _take(self, head: Head[tuple[str, bytes]], body: bytes) -> None:
        turn = self._turns.begin()
        method, turn.target = head.line
        turn.request_headers = head.headers
        turn.ask(method)
        self._turns.request_begins(turn)
        turn.take_request(body)
        turn.is_read = True

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
        if self._turn is None:  # see `_go_on`, here and below
            self._turn = self._turns.begin()

    def on_url(self, url: bytes) -> None:
        if self._turn is not None and not self._turn.is_asked:
            self._turn.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._turn is not None and not self._turn.is_asked:
            self._turn.request_headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._turn is not None and not self._turn.is_asked:
            self._turn.ask(self._parser.get_method().decode("ascii", "replace"))
            self._turns.request_begins(self._turn)

    def on_body(self, body: bytes) -> None:
        if self._turn is not None:
            self._turn.take_request(body)

    def on_message_complete(self) -> None:
        if self._turn is not None:
            self._turn.is_read = True
            self._newest = self._turn if self._parser.should_keep_alive() else None
            self._turn = None
