"""One request and its answer, as a source other than an ASGI app sees them."""

from __future__ import annotations

import math
from time import perf_counter, time

from .endings import Error, Labels
from .stream import StreamedAnswer

FRAMING = (b"content-length", b"transfer-encoding")


class Turn:
    """A request and its answer, up to a size. Not thread-safe.

    Sizes are of bodies as they stand on the wire, without the framing of chunks.
    """

    __slots__ = (
        "arrived",
        "began",
        "ended",
        "error",
        "first_byte",
        "has_left",
        "is_answered",
        "is_asked",
        "is_foreign",
        "is_read",
        "is_unseen",
        "labels",
        "limit",
        "method",
        "path",
        "request_chunks",
        "request_headers",
        "request_size",
        "response_chunks",
        "response_headers",
        "response_size",
        "status",
        "stream",
        "target",
    )

    def __init__(self, limit: int) -> None:
        """Begin a turn now; bodies longer than `limit` bytes are not kept."""
        self.arrived = time()
        self.began = perf_counter()
        self.ended = 0.0
        """Moment of its end by `perf_counter`, where that is not when it is counted."""
        self.limit = limit
        self.method = ""
        self.target = b""
        """Path and query as they were sent, percent-encoded."""
        self.path = ""
        self.labels: Labels | None = None
        """Model, version and route, once they are known."""
        self.request_headers: list[tuple[bytes, bytes]] = []
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.request_chunks: list[bytes] | None = None
        """Of a request whose body is of interest; None of others, and of one that is too long."""
        self.response_chunks: list[bytes] | None = None
        self.stream: StreamedAnswer | None = None
        """Takes the answer where it is a stream of events."""
        self.request_size = 0
        self.response_size = math.nan
        """Bytes; NaN before the answer starts."""
        self.first_byte = math.nan
        """Seconds from the request's first byte to the answer's."""
        self.status = 0
        self.is_asked = self.is_read = self.is_answered = self.has_left = False
        self.is_foreign = False
        """It is known to be no prediction, such as an RPC of another method."""
        self.is_unseen = False
        """The answer's body does not pass here: the server sends it from a file."""
        self.error: Error = "none"

    def restart(self) -> None:
        """Begin now: what came before is no part of it."""
        self.arrived = time()
        self.began = perf_counter()

    def ask(self, method: str) -> None:
        """Note that the request's head is complete."""
        self.method = method
        self.is_asked = True
        if method == "POST":
            self.request_chunks = []

    def start(self, status: int, moment: float) -> None:
        """Note that the answer's head is complete, at `moment` by `perf_counter`."""
        self.status = status
        self.first_byte = moment - self.began
        self.response_size = 0

    @property
    def request_framing(self) -> list[tuple[bytes, bytes]]:
        """Headers that say where the request's body ends; it has none without them."""
        return [pair for pair in self.request_headers if pair[0] in FRAMING]

    @property
    def has_length(self) -> bool:
        """The answer says where it ends; else it ends with the connection."""
        return any(
            name == b"content-length"
            or (name == b"transfer-encoding" and b"chunked" in value.lower())
            for name, value in self.response_headers
        )

    def take_request(self, body: bytes) -> None:
        """Note a part of the request's body."""
        self.request_size += len(body)
        if self.request_chunks is not None:
            if self.request_size <= self.limit:
                self.request_chunks.append(body)
            else:
                self.request_chunks = None

    def take_response(self, body: bytes) -> None:
        """Note a part of the answer's body."""
        self.response_size += len(body)
        if self.stream is not None:
            self.stream.take(body)
        elif self.response_chunks is not None:
            if self.response_size <= self.limit:
                self.response_chunks.append(body)
            else:
                self.response_chunks = None
