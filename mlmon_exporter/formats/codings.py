"""Decompression of bodies by their `Content-Encoding`, up to a size."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from .errors import FormatError

_GZIP, _ZLIB, _RAW = 31, 15, -15  # window bits, which also tell zlib the wrapper to expect
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 16_384
"""Bytes given to zlib at once after the first member: it copies what it leaves unread."""


def decode(content: bytes, coding: str, max_bytes: int) -> bytes:
    """Undo one content coding.

    Args:
        content: The body as it was sent.
        coding: The value of `Content-Encoding`, in any case; empty is identity.
        max_bytes: Decoding stops one byte after this, however much more would come out.

    Raises:
        FormatError: `unsupported_encoding` (stacked ones too), `bad_encoding` (damaged or cut
            short), `compressed_too_large`.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return content
    decoder = _DECODERS.get(coding)
    if decoder is None:
        raise FormatError("unsupported_encoding", f"Content-Encoding: expected {_KNOWN}")
    decoded = decoder(content, max_bytes + 1)
    if len(decoded) > max_bytes:
        raise FormatError("compressed_too_large", f"body: expected {max_bytes} bytes at most")
    return decoded


def _gzip(content: bytes, max_bytes: int) -> bytes:
    decoded, rest = _inflate(content, _GZIP, max_bytes)
    if not rest.startswith(_GZIP_MAGIC):
        return decoded
    # A file may have several members: Django's GZipMiddleware writes one for each part.
    members, size, start = [decoded], len(decoded), len(content) - len(rest)
    while size < max_bytes and content.startswith(_GZIP_MAGIC, start):
        member, start = _member(content, start, max_bytes - size)
        members.append(member)
        size += len(member)
    return b"".join(members)


def _member(content: bytes, start: int, max_bytes: int) -> tuple[bytes, int]:
    """Return the gzip member that starts there, decoded, and where it ends."""
    decoder, parts, left = zlib.decompressobj(_GZIP), [], max_bytes
    while left and not decoder.eof:
        block = decoder.unconsumed_tail or content[start : start + _BLOCK]
        if not block:
            raise FormatError("bad_encoding", "body: expected whole compressed bytes, got a part")
        start += 0 if decoder.unconsumed_tail else len(block)
        parts.append(_decompressed(decoder, block, left))
        left -= len(parts[-1])
    return b"".join(parts), start - len(decoder.unused_data)


def _deflate(content: bytes, max_bytes: int) -> bytes:
    # RFC 9110 means zlib's wrapper by this name; some senders leave it out.
    try:
        return _inflate(content, _ZLIB, max_bytes)[0]
    except FormatError:
        return _inflate(content, _RAW, max_bytes)[0]


def _inflate(content: bytes, window_bits: int, max_bytes: int) -> tuple[bytes, bytes]:
    """Return decoded bytes, and those that follow the end of the compressed ones."""
    decoder = zlib.decompressobj(window_bits)
    decoded = _decompressed(decoder, content, max_bytes)
    if len(decoded) < max_bytes and not decoder.eof:
        raise FormatError("bad_encoding", "body: expected whole compressed bytes, got a part")
    return decoded, decoder.unused_data


def _decompressed(decoder: Any, content: bytes, max_bytes: int) -> bytes:
    try:
        decoded: bytes = decoder.decompress(content, max_bytes)
    except zlib.error as error:
        raise FormatError("bad_encoding", "body: expected compressed bytes") from error
    return decoded


def _brotli(content: bytes, max_bytes: int) -> bytes:
    brotli = _optional("brotli")
    decoder = None if brotli is None else brotli.Decompressor()
    if not hasattr(decoder, "can_accept_more_data"):  # before 1.2 its output has no limit
        raise FormatError("unsupported_encoding", "body: expected brotli 1.2 to decode br")
    try:
        return _unbrotli(decoder, content, max_bytes)
    except brotli.error as error:
        raise FormatError("bad_encoding", "body: expected brotli bytes") from error


def _unbrotli(decoder: Any, content: bytes, max_bytes: int) -> bytes:
    decoded: bytes = decoder.process(content, output_buffer_limit=max_bytes)
    while len(decoded) < max_bytes and not decoder.is_finished():
        more: bytes = decoder.process(b"", output_buffer_limit=max_bytes - len(decoded))
        if not more:
            raise FormatError("bad_encoding", "body: expected whole brotli bytes, got a part")
        decoded += more
    return decoded[:max_bytes]


def _optional(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        return None


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
}
CODINGS = tuple(_DECODERS)
_KNOWN = ", ".join(CODINGS)
