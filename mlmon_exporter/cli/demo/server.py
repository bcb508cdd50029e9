"""The demo's server, as a user would write it: two routes, and the line that monitors them."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel

from mlmon_exporter import Monitor, instrument

from .datasets import Row
from .stopwatch import Around, Within
from .traffic import Latencies

START_SECONDS = 30.0
STOP_SECONDS = 5.0
CHALLENGER_SHARE = 0.3
"""Share of the requests for incomes that the second version answers."""


class DemoError(Exception):
    """The demo cannot run; says why, and what to do."""


class Instances(BaseModel):
    """The body of a request: the rows to predict."""

    instances: list[dict[str, float | str | None]]


class Predictor(Protocol):
    """A trained model."""

    def predict(self, rows: Sequence[Row]) -> Sequence[Any]:
        """Return a prediction for each row."""


def create_app(
    bike: Predictor,
    income: Mapping[str, Predictor],
    config: Path,
    examples: Sequence[Row],
    added: Latencies,
) -> tuple[FastAPI, Monitor]:
    """Return the app of both models and its monitor.

    Args:
        bike: The model of bicycle rentals.
        income: Version -> that version of the model of incomes; the first answers the most.
        config: The configuration file of the monitor.
        examples: A row of each model for the pages at `/docs`.
        added: Records the time that the monitor adds to each request.
    """
    app = FastAPI(title="mlmon-exporter demo")
    # Stopwatches within and around the monitor, to show its cost: no user needs them.
    app.add_middleware(Within)
    monitor = instrument(app, config=config)
    app.add_middleware(Around, record=added.record)

    def predict_bike(body: Instances) -> dict[str, Any]:
        """Predict how many bicycles are rented in an hour."""
        return {"predictions": bike.predict(body.instances)}

    def stream_bike(body: Instances) -> StreamingResponse:
        """Predict the same, an event for each row."""
        events = (f'data: {{"predictions": [{each}]}}\n\n' for each in bike.predict(body.instances))
        return StreamingResponse(events, media_type="text/event-stream")

    chosen = random.Random(0)

    def predict_income(body: Instances) -> dict[str, Any]:
        """Predict whether somebody earns more than 50 000 dollars a year, by one of two models."""
        champion, challenger = income
        version = challenger if chosen.random() < CHALLENGER_SHARE else champion
        return {"predictions": income[version].predict(body.instances), "model_version": version}

    app.post("/bike/predict", openapi_extra=_example(examples[0]))(predict_bike)
    app.post("/bike/stream")(stream_bike)
    app.post("/income/predict", openapi_extra=_example(examples[1]))(predict_income)
    app.get("/", include_in_schema=False)(lambda: RedirectResponse("/mlmon"))
    return app, monitor


def _example(row: Row) -> dict[str, Any]:
    content = {"application/json": {"example": {"instances": [row]}}}
    return {"requestBody": {"content": content}}


def listen(port: int) -> socket.socket:
    """Return a socket bound to a port of this machine, a free one for 0.

    Raises:
        DemoError: Another program has the port.
    """
    # asyncio sets TCP_NODELAY only on sockets whose protocol is given as TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise DemoError(
            f"--port: cannot serve on port {port}: {error.strerror}; "
            "choose another one, or 0 for a free one"
        ) from error
    return listener


class Server:
    """The app served from a thread of this process, within a `with` block."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=int(STOP_SECONDS) - 2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="server", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        give_up = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up:
                raise DemoError("the server did not start")
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        with contextlib.suppress(RuntimeError):  # it was never started
            self._thread.join(STOP_SECONDS)
