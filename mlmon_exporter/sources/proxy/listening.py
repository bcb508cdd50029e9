"""The ears of a relay, wired to a monitor's sink."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.turn import Turn

from .frames import PREFACE
from .heads import KnownHeads
from .http1 import Http1Ear
from .http2 import Http2Ear
from .relay import Ear
from .turns import Turns, UnheardError

logger = logging.getLogger(__name__)

BAD_GATEWAY = 502
"""Status of a request that the upstream took and never answered: the client saw none."""
MAX_EARLY = 64 * 1024
"""Bytes that a server may send before its client has said which HTTP it speaks."""


def listening(sink: Sink) -> Callable[[], Ear]:
    """Return what makes the ear of each new connection."""
    recorder, known = Recorder(sink), KnownHeads.none()

    def end(turn: Turn) -> None:
        recorder.end(turn, BAD_GATEWAY)

    def http1() -> Http1Ear:
        begin, limit, forget = recorder.begin, sink.max_body_bytes, recorder.forget
        return Http1Ear(Turns(begin, recorder.answer_begins, end, limit, forget), known)

    return lambda: EitherEar(http1, lambda: Http2Ear(sink, recorder))


class EitherEar:
    """Hears a connection by the HTTP that its client's first bytes speak."""

    def __init__(self, http1: Callable[[], Http1Ear], http2: Callable[[], Http2Ear]) -> None:
        self._http1, self._http2 = http1, http2
        self._ear: Http1Ear | Http2Ear | None = None
        self._asked = self._answered = b""
        """Bytes before that is known: an HTTP/2 server greets first."""

    def asked(self, data: bytes) -> None:
        """Hear what the client sent."""
        if self._ear is None:
            self._asked += data
            if self._asked.startswith(PREFACE):
                self._begin(self._http2())
            elif not PREFACE.startswith(self._asked):
                self._begin(self._http1())
            return
        try:
            self._ear.asked(data)
        except Exception:
            self._ear.forget()  # nobody hears the end of what is under way
            raise

    def _begin(self, ear: Http1Ear | Http2Ear) -> None:
        self._ear = ear
        asked, answered = self._asked, self._answered
        self._asked = self._answered = b""
        self.asked(asked)
        if answered:
            self.answered(answered)

    def answered(self, data: bytes) -> None:
        """Hear what the server sent."""
        if self._ear is None:
            self._answered += data
            if len(self._answered) > MAX_EARLY:
                raise UnheardError("expected a request first")
            return
        try:
            self._ear.answered(data)
        except Exception:
            self._ear.forget()
            raise

    def ended(self, *, by_client: bool) -> None:
        """Hear that one side sends no more."""
        self._tell("ended", by_client)

    def closed(self, *, by_client: bool) -> None:
        """Hear that the connection is gone."""
        self._tell("closed", by_client)

    def _tell(self, what: str, by_client: bool) -> None:
        if self._ear is not None:
            try:
                getattr(self._ear, what)(by_client=by_client)
            except Exception:
                self._ear.forget()
                raise


def unheard(sink: Sink) -> Callable[[Exception], None]:
    """Return what counts a connection that could not be read on: its bytes flow on unheard."""

    def fault(error: Exception) -> None:
        sink.health.drop("unheard")
        logger.debug("mlmon: a connection is relayed unheard", exc_info=error)

    return fault
