"""One RPC of a model: a turn for each request message and its answer."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from time import perf_counter

from mlmon_exporter.formats.event_stream import GAP
from mlmon_exporter.formats.grpc_messages import CODINGS, MEDIA_TYPE, MESSAGE_TYPE, framed
from mlmon_exporter.formats.oip_grpc import Head, head
from mlmon_exporter.sources.endings import CANCELLED, CLIENT_LEFT, Labels
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.turn import Turn

SERVICE = "/inference.GRPCInferenceService"
STREAMED = f"{SERVICE}/ModelStreamInfer"
METHODS = frozenset((f"{SERVICE}/ModelInfer", STREAMED))
"""Methods whose messages are predictions' inputs and outputs."""
HEAD_BYTES = 4096
"""Bytes of a long or a compressed message in which its names are looked for."""
MAX_WAITING = 256
"""Request messages of one stream that may wait for an answer; the oldest is then given up."""
QUIET_SECONDS = 30.0
"""After so long without another answer a request has had its last."""

OK, UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 2, 12, 13, 14
_STATUS = (
    *(200, CLIENT_LEFT, 500, 400, CANCELLED, 404, 409, 403, 429),
    *(400, 409, 400, 501, 500, 503, 500, 401),
)
"""HTTP status of each status code of gRPC, as google.rpc.Code has it."""

_WINDOW_BITS = {b"gzip": 31, b"deflate": 15}

Metadata = Sequence[tuple[bytes, bytes]]


class Part:
    """One message of an RPC as it came; `content` is None where it was too long to be kept."""

    __slots__ = ("_start", "content", "encoding", "size")

    def __init__(self, kept: bytes, size: int, encoding: bytes = b"") -> None:
        """Take a message.

        Args:
            kept: All of it, or a part of it, the first `HEAD_BYTES`.
            size: Its length.
            encoding: The coding of one that is compressed.
        """
        self._start = kept
        self.content = kept if len(kept) == size else None
        self.size = size
        self.encoding = encoding

    def head(self) -> Head:
        """Return the names in it."""
        content = self._start
        if self.encoding:
            try:
                unpacker = zlib.decompressobj(_WINDOW_BITS[self.encoding])
                content = unpacker.decompress(content, HEAD_BYTES)
            except (KeyError, zlib.error):
                return Head()
        return head(content)

    def headers(self, metadata: Metadata) -> list[tuple[bytes, bytes]]:
        """Return the headers of a body that is this message."""
        own = [(b"content-type", MESSAGE_TYPE)]
        return [*metadata, *own, *([(b"content-encoding", self.encoding)] if self.encoding else [])]

    def framed(self) -> bytes:
        """Return it as it stands in a body of several."""
        is_kept = self.content is not None and self.encoding in CODINGS
        return framed(self.content or b"", self.encoding) if is_kept else GAP


class Conversation:
    """The messages of one RPC, which become turns. Thread-safe.

    A streamed RPC may last for days: each of its requests counts as one, timed by itself. An answer
    belongs to the request with its id, else to the oldest that waits. MLServer's give all answers
    of a stream the id of its first request.

    Triton's models may answer a request several times, with its id. Each answer says whether it is
    the last, but where the model sends none that is: then the request ends with the RPC, with
    another one of its id, or after `QUIET_SECONDS`, and its time is that of the last answer.
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
        self._going_on: dict[str, Turn] = {}
        """Ids of requests that have an answer and await others, and their turns: the one that was
        answered longest ago comes first."""
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
            over = self._over(names.id)
        for each in over:
            self._end(each, OK)
        turn.labels = self._labels(names.model)
        turn.path = _rest_path(names)
        turn.request_headers = part.headers(self._metadata)
        turn.take_request(part.content or b"")
        if part.content is None:
            turn.request_size, turn.request_chunks = part.size, None
        turn.is_read = True

    def _over(self, asked: str) -> list[Turn]:
        """Return the turns that await nothing more now that this id is asked with; they are out."""
        over = [self._going_on.pop(asked)] if asked in self._going_on else []
        quiet_since = perf_counter() - QUIET_SECONDS
        for number, turn in [*self._going_on.items()]:
            is_one_too_many = len(self._going_on) + len(self._waiting) > MAX_WAITING
            if turn.ended > quiet_since and not is_one_too_many:
                break
            over.append(self._going_on.pop(number))
        if len(self._waiting) > MAX_WAITING:
            over.append(self._waiting.popleft()[1])
        return over

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
            elif not turn.status:
                self._start(turn, part, is_last=names.is_last)
            elif not names.is_empty:
                self._take(turn, part)
            if self._is_streamed and names.is_last:
                turn.is_answered = True
                self._recorder.end(turn)

    def _answered(self, names: Head) -> Turn | None:
        """Return the turn that an answer belongs to, None for none."""
        if not self._is_streamed:
            return self._waiting[0][1] if self._waiting else None
        turn = self._going_on.pop(names.id, None) or self._answered_first(names)
        if turn is not None:
            turn.ended = 0.0 if names.is_last else perf_counter()
            if not names.is_last:
                self._going_on[names.id] = turn
        return turn

    def _answered_first(self, names: Head) -> Turn | None:
        """Take out the turn whose first answer this is, and return it; None for none."""
        found = [pair for pair in self._waiting if pair[0] == names.id]
        found = found or [pair for pair in self._waiting if not (names.is_tritons and pair[0])]
        if not found:
            return None
        self._waiting.remove(found[0])
        return found[0][1]

    def _start(self, turn: Turn, part: Part, *, is_last: bool = True) -> None:
        turn.start(_STATUS[OK], perf_counter())
        several = [(b"content-type", MEDIA_TYPE.encode())]
        turn.response_headers = part.headers(()) if is_last else several
        self._recorder.answer_begins(turn, turn.labels)
        self._take(turn, part)

    def _take(self, turn: Turn, part: Part) -> None:
        turn.response_size += part.size
        if turn.stream is not None:
            turn.stream.take(part.framed())
        elif turn.response_chunks is not None:
            turn.response_chunks = [part.content] if part.content is not None else None

    def forget(self) -> None:
        """Count nothing: what becomes of the RPC will not be known."""
        with self._lock:
            self._is_open = False
            turns = self._unanswered()
        for turn in turns:
            self._recorder.forget(turn)

    def _unanswered(self) -> list[Turn]:
        turns = [turn for _, turn in self._waiting]
        turns += self._going_on.values()
        turns += [self._first] if self._first is not None else []
        self._waiting.clear()
        self._going_on.clear()
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
            if has_left or is_late or code:
                turn.ended = 0.0
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
