"""One RPC of a model: a turn for each request message and its answer."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from time import perf_counter

from mlmon_exporter.formats.oip_grpc import MEDIA_TYPE, Head, head
from mlmon_exporter.sources.endings import CANCELLED, CLIENT_LEFT, Labels
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.turn import Turn

SERVICE = "/inference.GRPCInferenceService"
STREAMED = f"{SERVICE}/ModelStreamInfer"
METHODS = frozenset((f"{SERVICE}/ModelInfer", STREAMED))
"""Methods whose messages are predictions' inputs and outputs."""
MAX_WAITING = 256
"""Request messages of one stream that may wait for an answer; the oldest is then given up."""

OK, UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 2, 12, 13, 14
_STATUS = (
    *(200, CLIENT_LEFT, 500, 400, CANCELLED, 404, 409, 403, 429),
    *(400, 409, 400, 501, 500, 503, 500, 401),
)
"""HTTP status of each status code of gRPC, as google.rpc.Code has it."""

_WINDOW_BITS = {b"gzip": 31, b"deflate": 15}
_HEAD_BYTES = 4096
"""Bytes of a compressed message that are unpacked to read its names."""

Metadata = Sequence[tuple[bytes, bytes]]


class Part:
    """One message of an RPC as it came; `content` is None where it was too long to be kept."""

    __slots__ = ("content", "encoding", "size")

    def __init__(self, content: bytes | None, size: int, encoding: bytes = b"") -> None:
        """Take a message; `encoding` is of one that is compressed."""
        self.content = content
        self.size = size
        self.encoding = encoding

    def head(self) -> Head:
        """Return the names in it."""
        content = self.content or b""
        if self.encoding:
            try:
                unpacker = zlib.decompressobj(_WINDOW_BITS[self.encoding])
                content = unpacker.decompress(content, _HEAD_BYTES)
            except (KeyError, zlib.error):
                return Head()
        return head(content)

    def headers(self, metadata: Metadata) -> list[tuple[bytes, bytes]]:
        """Return the headers of a body that is this message."""
        own = [(b"content-type", MEDIA_TYPE)]
        return [*metadata, *own, *([(b"content-encoding", self.encoding)] if self.encoding else [])]


class Conversation:
    """The messages of one RPC, which become turns. Thread-safe.

    A streamed RPC may last for days: each of its requests counts as one, timed by itself. An answer
    belongs to the request with its id, else to the oldest that waits. Triton's models may answer
    a request several times, with its id: the first answer is read. MLServer's give all answers of
    a stream the id of its first request.
    """

    def __init__(self, sink: Sink, recorder: Recorder, method: str, metadata: Metadata) -> None:
        """Begin now.

        Args:
            sink: A monitor's.
            recorder: The same sink's.
            method: One of `METHODS`.
            metadata: What came with the RPC; names in lower case.
        """
        self._sink = sink
        self._recorder = recorder
        self._method = method
        self._metadata = [pair for pair in metadata if pair[0] != b"content-type"]
        self._is_streamed = method == STREAMED
        self._lock = Lock()
        self._waiting: deque[tuple[str, Turn]] = deque()
        """Ids of requests, and their turns, without an answer yet."""
        self._is_open = True
        self._first: Turn | None = self._begin()
        """The turn of an RPC whose first message has not come."""

    def _begin(self) -> Turn:
        turn = Turn(self._sink.max_body_bytes)
        turn.target = self._method.encode()
        turn.labels = self._labels("")
        turn.ask("POST")
        self._recorder.begin(turn)
        return turn

    def _labels(self, model: str) -> Labels:
        return self._sink.routes.labels("POST", self._method, (model,))

    def asked(self, part: Part) -> None:
        """Note a request message."""
        names = part.head()
        with self._lock:
            if not self._is_open:
                return
            if self._first is not None:
                turn, self._first = self._first, None
                if self._is_streamed:
                    turn.restart()
            else:
                turn = self._begin()
            self._waiting.append((names.id, turn))
            if len(self._waiting) > MAX_WAITING:
                self._end(self._waiting.popleft()[1], OK)
        turn.labels = self._labels(names.model)
        turn.path = _rest_path(names)
        turn.request_headers = part.headers(self._metadata)
        turn.take_request(part.content or b"")
        if part.content is None:
            turn.request_size, turn.request_chunks = part.size, None
        turn.is_read = True

    def answered(self, part: Part) -> None:
        """Note a response message."""
        names = part.head() if self._is_streamed else Head()
        with self._lock:
            turn = self._answered(names)
        if turn is None:
            return
        with self._letting_go(turn):
            if names.is_error:  # Triton's stream goes on after it
                turn.status = _STATUS[UNKNOWN]
            else:
                self._start(turn, part)
            if self._is_streamed:
                turn.is_answered = True
                self._recorder.end(turn)

    def _answered(self, names: Head) -> Turn | None:
        """Return the turn that an answer belongs to, None for none."""
        if not self._is_streamed:
            return self._waiting[0][1] if self._waiting else None
        found = [pair for pair in self._waiting if pair[0] == names.id]
        found = found or [pair for pair in self._waiting if not (names.is_tritons and pair[0])]
        if not found:
            return None
        self._waiting.remove(found[0])
        return found[0][1]

    def _start(self, turn: Turn, part: Part) -> None:
        turn.start(_STATUS[OK], perf_counter())
        turn.response_headers = part.headers(())
        self._recorder.answer_begins(turn, turn.labels)
        turn.take_response(part.content or b"")
        if part.content is None:
            turn.response_size, turn.response_chunks = part.size, None

    def forget(self) -> None:
        """Count nothing: what becomes of the RPC will not be known."""
        with self._lock:
            self._is_open = False
            turns = self._unanswered()
        for turn in turns:
            self._recorder.forget(turn)

    def _unanswered(self) -> list[Turn]:
        turns = [turn for _, turn in self._waiting]
        turns += [self._first] if self._first is not None else []
        self._waiting.clear()
        return turns

    def ended(self, code: int, *, has_left: bool = False, is_late: bool = False) -> None:
        """Note that the RPC has ended, once.

        Args:
            code: The status code that was sent; of no meaning with the others.
            has_left: The client left before that.
            is_late: The deadline passed before that.
        """
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            turns = self._unanswered()
        for turn in turns:
            turn.has_left = has_left and not is_late
            turn.error = "cancelled" if is_late else "none"
            self._end(turn, None if has_left or is_late else code)

    def _end(self, turn: Turn, code: int | None) -> None:
        """Count a turn that ended with a status code, None without one."""
        with self._letting_go(turn):
            if code == OK and not turn.status:  # nothing to say, as of a model that keeps a state
                self._start(turn, Part(b"", 0))
            elif code:
                turn.status = status_of(code)
            turn.is_answered = code is not None
            self._recorder.end(turn)

    @contextmanager
    def _letting_go(self, turn: Turn) -> Iterator[None]:
        """Do not count a turn among those under way where its end cannot be noted."""
        try:
            yield
        except Exception:
            self._recorder.forget(turn)
            raise


def status_of(code: int) -> int:
    """Return the HTTP status of a status code of gRPC."""
    return _STATUS[code] if 0 <= code < len(_STATUS) else _STATUS[UNKNOWN]


def _rest_path(names: Head) -> str:
    """Return the path of the same request over HTTP, by which formats know model and version."""
    version = f"/versions/{names.version}" if names.version else ""
    return f"/v2/models/{names.model}{version}/infer"
