"""One WSGI request on its way: notes taken in passing, counted when its answer ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any
from urllib.parse import quote

from mlmon_exporter.sources.endings import Labels, error_of
from mlmon_exporter.sources.ids import ID_HEADER, PredictionIds, valid_id
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.turn import Turn

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_HEADERS_OF_BODY = ("CONTENT_TYPE", "CONTENT_LENGTH")
_RULE = re.compile(r"<(?:[^<>]*:)?(\w+)>")
"""A parameter in a rule of Flask's, `<int:id>`, or Bottle's, `<id>` or `<id:re:.*>`."""


class Call:
    """One request: its `start_response` and its body stand in for the server's.

    Not thread-safe: the thread that serves the request runs it.
    """

    def __init__(
        self,
        sink: Sink,
        recorder: Recorder,
        ids: PredictionIds,
        environ: Environ,
        start_response: StartResponse,
    ) -> None:
        self._sink = sink
        self._recorder = recorder
        self._ids = ids
        self._environ = environ
        self._start_response = start_response
        self._is_open = True
        self._turn = turn = Turn(sink.max_body_bytes)
        turn.target = _target(environ)
        turn.request_headers = [*headers_of(environ)]
        turn.ask(environ["REQUEST_METHOD"])
        length = environ.get("CONTENT_LENGTH") or "0"
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        turn.is_read = not is_chunked and length == "0"
        environ["wsgi.input"] = Input(environ["wsgi.input"], turn, None if is_chunked else length)
        recorder.begin(turn, self._labels)

    def start_response(
        self, status: str, headers: list[tuple[str, str]], *args: Any
    ) -> Callable[[bytes], object]:
        """Start the answer for the app; it may be called again with what went wrong."""
        try:
            headers = self._started(status, headers)
        except Exception as fault:  # noqa: BLE001 - the client gets its answer
            self._sink.fail(fault)
        write = self._start_response(status, headers, *args)

        def watched_write(data: bytes) -> object:
            self.part(data)
            return write(data)

        return watched_write

    def _started(self, status: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Note the start of the answer; return its headers, with the prediction's id."""
        turn = self._turn
        turn.start(int(status[:3]), perf_counter())
        turn.response_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]
        self._recorder.answer_begins(turn, self._labels())
        if turn.method != "POST" or not turn.labels or not turn.labels[0]:
            return headers
        named = dict(turn.response_headers)
        if ID_HEADER in named:
            return headers
        prediction_id = valid_id(dict(turn.request_headers).get(ID_HEADER)) or self._ids.new()
        turn.response_headers.append((ID_HEADER, prediction_id.encode()))
        return [*headers, ("X-Prediction-Id", prediction_id)]

    def _labels(self) -> Labels | None:
        """Return the labels by the route that Flask or Bottle has found, None without one."""
        request = self._environ.get("werkzeug.request")
        rule = getattr(getattr(request, "url_rule", None), "rule", None)
        params: Mapping[str, Any] = getattr(request, "view_args", None) or {}
        if rule is None:
            rule = getattr(self._environ.get("bottle.route"), "rule", None)
            params = self._environ.get("route.url_args") or {}
        if not isinstance(rule, str):
            return None
        route = self._environ.get("SCRIPT_NAME", "") + _RULE.sub(r"{\1}", rule)
        return self._sink.routes.labels(self._turn.method, route, params.values())

    def part(self, data: bytes) -> None:
        """Note a part of the answer's body."""
        try:
            self._turn.take_response(data)
        except Exception as fault:  # noqa: BLE001 - the client gets its part
            self._sink.fail(fault)

    def watched(self, result: Iterable[bytes]) -> Iterable[bytes]:
        """Return the answer's body in place of the app's."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(result, wrapper):
            self._turn.is_unseen = True  # the server sends the file by itself
            self._turn.response_size = float("nan")
            self.finish()
            return result
        return SizedAnswer(result, self) if hasattr(result, "__len__") else Answer(result, self)

    def finish(self) -> None:
        """Count the request: the server has its whole answer."""
        self._turn.is_answered = True
        self.end()

    def end(self, error: BaseException | None = None) -> None:
        """Count the request, once.

        Args:
            error: The exception that came out of the app before its answer was whole.
        """
        if not self._is_open:
            return
        self._is_open = False
        self._turn.error = error_of(error)
        try:
            self._recorder.end(self._turn)
        except Exception as fault:  # noqa: BLE001 - the client has its answer
            self._sink.fail(fault)

    def leave(self) -> None:
        """Count the request: the server closes an answer that it may not have read to its end."""
        length = (b"content-length", str(self._turn.response_size).encode())
        self._turn.is_answered = length in self._turn.response_headers
        self._turn.has_left = not self._turn.is_answered
        self.end()


class Answer:
    """The body of an answer: gives the app's parts, and closes the app's iterable."""

    def __init__(self, parts: Iterable[bytes], call: Call) -> None:
        self._all = parts
        self._parts: Iterator[bytes] | None = None
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._parts is None:
                self._parts = iter(self._all)
            part = next(self._parts)
        except StopIteration:
            self._call.finish()
            raise
        except BaseException as error:
            self._call.end(error)
            raise
        self._call.part(part)
        return part

    def close(self) -> None:
        """Close it: servers do, whatever came before."""
        try:
            close = getattr(self._all, "close", None)
            if close is not None:
                close()
        finally:
            self._call.leave()


class SizedAnswer(Answer):
    """One whose number of parts is known: servers make its length of one part."""

    def __len__(self) -> int:
        return len(self._all)  # type: ignore[arg-type] # asked before


class Input:
    """The request's body: notes what the app reads of it."""

    def __init__(self, source: Any, turn: Turn, length: str | None) -> None:
        self._source = source
        self._turn = turn
        self._length = int(length) if length is not None and length.isdecimal() else None

    def _took(self, data: bytes, asked: int | None) -> bytes:
        turn = self._turn
        if data:
            turn.take_request(bytes(data))
        is_all = turn.request_size >= self._length if self._length is not None else not data
        turn.is_read = turn.is_read or is_all or (not data and asked != 0)
        return data

    def read(self, size: int = -1, /) -> bytes:
        """Read as the server's does."""
        return self._took(self._source.read(*(() if size < 0 else (size,))), size)

    def readline(self, size: int = -1, /) -> bytes:
        """Read a line as the server's does."""
        return self._took(self._source.readline(*(() if size < 0 else (size,))), size)

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        """Read lines as the server's does."""
        lines: list[bytes] = self._source.readlines(*(() if hint < 0 else (hint,)))
        self._took(b"".join(lines), hint)
        return lines

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer, as files do."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def __getattr__(self, name: str) -> Any:
        """Give the server's other attributes."""
        return getattr(self.__dict__["_source"], name)


def headers_of(environ: Environ) -> Iterator[tuple[bytes, bytes]]:
    """Give the request's headers, names in lower case."""
    for key, value in environ.items():
        if key.startswith("HTTP_") or key in _HEADERS_OF_BODY:
            name = key.removeprefix("HTTP_").replace("_", "-").lower()
            yield name.encode("latin-1"), str(value).encode("latin-1", "replace")


def path_of(environ: Environ) -> str:
    """Return the path below where the app is mounted, as text."""
    raw: str = environ.get("PATH_INFO", "")
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


def _target(environ: Environ) -> bytes:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return quote(path.encode("latin-1", "replace")).encode()
