"""Several messages of gRPC that answer one request, as one body: each with coding and length."""

from __future__ import annotations

from . import codings
from .errors import FormatError

MESSAGE_TYPE = b"application/grpc"
"""Media type of a body that is one message."""
MEDIA_TYPE = "application/vnd.mlmon.grpc-messages"
"""Media type of a body of several: ours, since on the wire each is part of a longer stream."""
CODINGS = (b"", b"gzip", b"deflate")

_PREFIX = 5


def framed(message: bytes, coding: bytes) -> bytes:
    """Return a message as it stands in a body of several.

    Args:
        message: As it was sent.
        coding: One of `CODINGS`, by which it is compressed.
    """
    return bytes([CODINGS.index(coding)]) + len(message).to_bytes(_PREFIX - 1) + message


def split(content: bytes, max_bytes: int) -> list[bytes]:
    """Return the messages of a body, decoded; together they are `max_bytes` at most.

    Raises:
        FormatError: As `codings.decode`; `malformed` where this is no such body.
    """
    messages, at, left = [], 0, max_bytes
    while at < len(content):
        if content[at] >= len(CODINGS):
            raise FormatError("malformed", "body: expected the coding of a message")
        start = at + _PREFIX
        end = start + int.from_bytes(content[at + 1 : start])
        coding = CODINGS[content[at]].decode()
        messages.append(codings.decode(content[start:end], coding, left))
        left -= len(messages[-1])
        if left < 0:
            raise FormatError("compressed_too_large", f"body: expected {max_bytes} bytes at most")
        at = end
    return messages
