"""WSGI apps, with and without us."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from wsgiref.util import setup_testing_defaults

from mlmon_exporter import Monitor, MonitorWSGIMiddleware

ROW = json.dumps({"instances": [{"a": 1.0, "b": "x"}]}).encode()


ANSWER = json.dumps({"predictions": [0.5]}).encode()


JSON = ("Content-Type", "application/json")


App = Callable[..., Iterable[bytes]]


class Result:
    """What a server has of one request."""

    def __init__(
        self,
        app: App,
        path: str = "/predict",
        body: bytes = ROW,
        parts: int = -1,
        **environ: object,
    ) -> None:
        self.status, self.headers, self.body, self.error = "", dict[str, str](), b"", ""
        given = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **environ,
        }
        setup_testing_defaults(given)
        try:
            answer = app(given, self.start_response)
            try:
                for i, part in enumerate(answer):
                    self.body += part
                    if i == parts:
                        break
            finally:
                close = getattr(answer, "close", None)
                if close is not None:
                    close()
        except (RuntimeError, AssertionError, KeyError) as error:
            self.error = repr(error)

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, dict(headers)

        def write(data: bytes) -> None:
            self.body += data

        return write

    @property
    def seen(self) -> tuple[str, dict[str, str], bytes, str]:
        """All but the prediction's id."""
        headers = {k: v for k, v in self.headers.items() if k != "X-Prediction-Id"}
        return self.status, headers, self.body, self.error


def watched(app: App, **options: Any) -> tuple[MonitorWSGIMiddleware, Monitor]:
    monitor = Monitor(model="m", routes=["/predict"], **options)
    return MonitorWSGIMiddleware(app, monitor), monitor


def counts(monitor: Monitor, name: str = "mlmon_requests_total") -> dict[tuple[str, ...], float]:
    monitor.flush()
    return {
        tuple(reading.labels.values()): reading.value
        for reading in monitor.readings()
        if reading.name == name and reading.value
    }


def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [JSON, ("Content-Length", str(len(ANSWER)))])
    return [ANSWER]


def lines(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    for _ in environ["wsgi.input"]:
        pass
    start_response("200 OK", [JSON])
    yield ANSWER[:5]
    yield ANSWER[5:]


def written(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    write = start_response("200 OK", [JSON])
    write(ANSWER[:5])
    return [ANSWER[5:]]


def into(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    buffer = bytearray(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"].readinto(buffer)
    assert bytes(buffer) == ROW
    start_response("200 OK", [JSON])
    return [ANSWER]


def unread(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [JSON])
    return [ANSWER]


def refused(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("401 Unauthorized", [JSON])
    return [b"{}"]


def raises(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise RuntimeError("the model's own")


def raises_within(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [JSON])
    yield ANSWER[:5]
    raise RuntimeError("the model's own")


def corrects(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [JSON])
    start_response("500 Internal Server Error", [JSON], (None, None, None))
    return [b"{}"]


def file(environ: dict[str, Any], start_response: Any) -> Any:
    environ["wsgi.input"].read()
    start_response("200 OK", [JSON])
    return environ["wsgi.file_wrapper"](io.BytesIO(ANSWER))


APPS: Mapping[str, tuple[App, tuple[str, str], int]] = {
    "plain": (plain, ("200", "ok"), 1),
    "lines": (lines, ("200", "ok"), 1),
    "written": (written, ("200", "ok"), 1),
    "into": (into, ("200", "ok"), 1),
    "unread": (unread, ("200", "ok"), 0),
    "refused": (refused, ("401", "client_error"), 0),
    "raises": (raises, ("500", "server_error"), 0),
    "raises within": (raises_within, ("200", "interrupted"), 0),
    "corrects": (corrects, ("500", "server_error"), 0),
    "file": (file, ("200", "ok"), 0),
}
