"""Listens to HTTP/1.1 between a client and its server, and makes turns: a request and its answer.

Parsing is httptools' (llhttp, as Node and uvicorn use it). What it cannot say is here: which answer
has no body because HEAD asked, which one ends with the connection, and when the connection stops
being HTTP.
"""

from __future__ import annotations

from .answers import Answers
from .heads import KnownHeads
from .requests import Requests
from .turns import Turns


class Http1Ear:
    """Hears one connection."""

    def __init__(self, turns: Turns, known: KnownHeads) -> None:
        """Begin with a connection that has carried nothing.

        Args:
            turns: Takes what is heard.
            known: Heads that other connections carried before.
        """
        self._turns = turns
        self._requests = Requests(turns, known.requests)
        self._answers = Answers(turns, known.answers, self._requests)

    def asked(self, data: bytes) -> None:
        """Hear what the client sent."""
        if not self._answers.is_tunnel:
            self._requests.feed(data)

    def answered(self, data: bytes) -> None:
        """Hear what the server sent."""
        if not self._answers.is_tunnel:
            self._answers.feed(data)

    def ended(self, *, by_client: bool) -> None:
        """Hear that one side sends no more: a server that does so answers nobody any more."""
        if not by_client:
            self._answers.end()
            self._turns.give_up(has_left=False)

    def closed(self, *, by_client: bool) -> None:
        """Hear that the connection is gone: an answer that was under way is not whole."""
        if not by_client:
            self._answers.end()
        self._turns.give_up(has_left=by_client)

    def forget(self) -> None:
        """Let go the turns that are under way: nobody will hear them end."""
        self._turns.forget()
