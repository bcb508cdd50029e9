"""The ears of a relay, wired to a monitor's sink."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.turn import Turn

from .http1 import Http1Ear
from .relay import Ear

logger = logging.getLogger(__name__)

BAD_GATEWAY = 502
"""Status of a request that the upstream took and never answered: the client saw none."""


def listening(sink: Sink) -> Callable[[], Ear]:
    """Return what makes the ear of each new connection."""
    recorder = Recorder(sink)

    def end(turn: Turn) -> None:
        recorder.end(turn, BAD_GATEWAY)

    def listen() -> Ear:
        return Http1Ear(recorder.begin, recorder.answer_begins, end, sink.max_body_bytes)

    return listen


def unheard(sink: Sink) -> Callable[[Exception], None]:
    """Return what counts a connection that could not be read on: its bytes flow on unheard."""

    def fault(error: Exception) -> None:
        sink.health.drop("unheard")
        logger.debug("mlmon: a connection is relayed unheard", exc_info=error)

    return fault
