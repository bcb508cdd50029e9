"""The requests of one HTTP/1.1 connection that wait for their answers, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mlmon_exporter.sources.turn import Turn

MAX_TURNS = 256
"""Requests that may wait for their answer on one connection; a client that sends more is relayed
unheard."""


class UnheardError(Exception):
    """A connection that is not, or is no longer, HTTP as we know it."""


class Turns:
    """Turns without a whole answer. Each is handed to `on_turn` once, when it has ended."""

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
        self.request_begins = on_request
        self.answer_begins = on_answer
        self._on_turn = on_turn
        self._on_forget = on_forget
        self._limit = max_body_bytes
        self._waiting: deque[Turn] = deque()
        """The oldest first."""

    def begin(self) -> Turn:
        """Begin a turn: a request's head is coming."""
        if len(self._waiting) >= MAX_TURNS:
            raise UnheardError(f"expected at most {MAX_TURNS} requests at a time")
        turn = Turn(self._limit)
        self._waiting.append(turn)
        return turn

    @property
    def newest(self) -> Turn:
        """The turn that was begun last."""
        return self._waiting[-1]

    @property
    def current(self) -> Turn:
        """The turn that the next answer belongs to."""
        if not self._waiting:
            raise UnheardError("expected a request before its answer")
        return self._waiting[0]

    @property
    def has_head_later(self) -> bool:
        """A later turn asked with HEAD."""
        return len(self._waiting) > 1 and any(turn.method == "HEAD" for turn in self._waiting)

    def finish(self) -> None:
        """End the oldest turn: its answer is whole."""
        turn = self._waiting.popleft()
        turn.is_answered = True
        self._end(turn)

    def give_up(self, *, has_left: bool) -> None:
        """End all: no answer will come, since the client has left, or the server."""
        while self._waiting:
            turn = self._waiting.popleft()
            turn.has_left = has_left
            if turn.is_asked:
                self._end(turn)

    def _end(self, turn: Turn) -> None:
        try:
            self._on_turn(turn)
        except Exception:
            self._on_forget(turn)
            raise

    def forget(self) -> None:
        """Let go the turns that are under way: nobody will hear them end."""
        for turn in self._waiting:
            self._on_forget(turn)
        self._waiting.clear()
