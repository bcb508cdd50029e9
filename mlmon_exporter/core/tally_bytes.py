"""A tally as bytes, for the state on disk."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

import numpy as np

from .digests import ENGINES
from .tally import AnyDigest, Tally

_HEADER = struct.Struct("<4sIQII")
_MAGIC = b"MLT1"


def to_bytes(tally: Tally) -> bytes:
    """Return a tally as bytes that `from_bytes` reads."""
    digests = [b"" if digest is None else digest.to_bytes() for digest in tally.digests]
    engine = next((type(d).__name__ for d in tally.digests if d is not None), "")
    head = json.dumps([engine, [len(digest) for digest in digests]]).encode()
    sizes = len(tally.counts), len(tally.invalid)
    return b"".join(
        (
            _HEADER.pack(_MAGIC, len(head), tally.rows, *sizes),
            head,
            tally.counts.astype("<u8").tobytes(),
            tally.invalid.astype("<i8").tobytes(),
            tally.sums.astype("<f8").tobytes(),
            *digests,
        )
    )


def from_bytes(data: bytes) -> Tally:
    """Read a tally.

    Raises:
        ValueError: These are not the bytes of a tally.
    """
    try:
        magic, head_size, rows, cells, columns = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("tally: expected its bytes, got others")
        at = _HEADER.size + head_size
        engine, sizes = json.loads(data[_HEADER.size : at])
        tally = Tally.__new__(Tally)
        tally.rows = rows
        tally.counts = np.frombuffer(data, "<u8", cells, at).astype(np.int64)
        tally.invalid = np.frombuffer(data, "<i8", columns, at + 8 * cells).astype(np.int64)
        tally.sums = np.frombuffer(data, "<f8", columns, at + 8 * (cells + columns)).copy()
        tally.digests = _digests(data[at + 8 * (cells + 2 * columns) :], engine, sizes)
    except (struct.error, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"tally: damaged: {error}") from error
    return tally


def _digests(data: bytes, engine: str, sizes: Sequence[int]) -> list[AnyDigest | None]:
    types = {kind.__name__: kind for kind in ENGINES.values()}
    digests: list[AnyDigest | None] = []
    at = 0
    for size in sizes:
        digests.append(types[engine].from_bytes(data[at : at + size]) if size else None)
        at += size
    return digests
