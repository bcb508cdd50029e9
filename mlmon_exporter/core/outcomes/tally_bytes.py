"""Tallies as bytes, for the store."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.centroids import MOST_ROWS
from mlmon_exporter.core.stats.design_effect import RequestRows
from mlmon_exporter.core.stats.digests import ENGINES
from mlmon_exporter.core.stats.roc import RocCurve
from mlmon_exporter.core.windows.tally import AnyDigest, Tally

from .tallies import SegmentTally

_HEADER = struct.Struct("<4sIQII")
_MAGIC = b"MLT1"
_SEGMENTS_HEADER = struct.Struct("<4sIQII")
_SEGMENTS_MAGIC = b"MLS1"

AnyTally = Tally | SegmentTally


def to_bytes(tally: AnyTally) -> bytes:
    """Return a tally as bytes that `from_bytes` reads."""
    return (
        _segments_to_bytes(tally) if isinstance(tally, SegmentTally) else _columns_to_bytes(tally)
    )


def from_bytes(data: bytes) -> AnyTally:
    """Read a tally.

    Raises:
        ValueError: The bytes are no tally.
    """
    return _segments(data) if data[:4] == _SEGMENTS_MAGIC else _columns(data)


def _segments_to_bytes(tally: SegmentTally) -> bytes:
    curves = [(where, curve.points) for where, curve in tally.curves.items()]
    head = np.array([(*where, len(points)) for where, points in curves], dtype="<u4")
    return b"".join(
        (
            _SEGMENTS_HEADER.pack(_SEGMENTS_MAGIC, len(curves), tally.rows, *tally.sums.shape),
            head.tobytes(),
            tally.sums.astype("<f8").tobytes(),
            *(points.astype("<f8").tobytes() for _, points in curves),
        )
    )


def _segments(data: bytes) -> SegmentTally:
    try:
        _, curves, rows, segments, width = _SEGMENTS_HEADER.unpack_from(data)
        if rows > MOST_ROWS:
            raise ValueError(f"tally: expected {MOST_ROWS} rows at most, got {rows}")
        at = _SEGMENTS_HEADER.size
        head = np.frombuffer(data, "<u4", 3 * curves, at).reshape(-1, 3).tolist()
        at += 12 * curves
        tally = SegmentTally(0, 0)
        tally.rows = rows
        tally.sums = (
            np.frombuffer(data, "<f8", segments * width, at).reshape(segments, width).copy()
        )
        at += 8 * segments * width
        for segment, number, points in head:
            values = np.frombuffer(data, "<f8", 3 * points, at).reshape(-1, 3)
            _check(values)
            if (values[:, 1:] < 0).any():
                raise ValueError("tally: expected counts of rows, got others")
            tally.curves[segment, number] = RocCurve(values)
            at += 24 * points
        # Sums of huge outcomes are not finite; qualities made of them are absent.
    except struct.error as error:
        raise ValueError(f"tally: damaged: {error}") from error
    return tally


def _columns_to_bytes(tally: Tally) -> bytes:
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
            _requests_to_bytes(tally.requests),
        )
    )


def _columns(data: bytes) -> Tally:
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
        _check(tally.counts)
        _check(tally.sums)
        if (tally.counts < 0).any() or max(rows, tally.counts.sum(dtype=float)) > MOST_ROWS:
            raise ValueError("tally: expected counts of rows, got others")
        at += 8 * (cells + 2 * columns)
        tally.digests = _digests(data[at:], engine, sizes)
        tally.requests = _requests(data[at + sum(sizes) :], columns)
    except (struct.error, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"tally: damaged: {error}") from error
    return tally


def _requests_to_bytes(requests: RequestRows | None) -> bytes:
    if requests is None:
        return b""
    numbers = (requests.rows, requests.squares, *requests.sums.ravel())
    return np.array(numbers, dtype="<f8").tobytes()


def _requests(data: bytes, columns: int) -> RequestRows | None:
    """Read the end, which is absent in tallies without requests of several rows."""
    if not data:
        return None
    numbers = np.frombuffer(data, "<f8")
    _check(numbers)
    if len(numbers) != 2 + 4 * columns or not 0 < numbers[0] <= numbers[1] <= MOST_ROWS**2:
        raise ValueError("tally: expected sums over requests, got others")
    rows, squares = numbers[:2].tolist()
    return RequestRows(rows, squares, numbers[2:].reshape(4, columns).copy())


def _check(numbers: NDArray[Any]) -> None:
    if not np.isfinite(numbers).all():
        raise ValueError("tally: expected finite numbers")


def _digests(data: bytes, engine: str, sizes: Sequence[int]) -> list[AnyDigest | None]:
    types = {kind.__name__: kind for kind in ENGINES.values()}
    ends = zip(sizes, accumulate(sizes), strict=True)
    parts = [data[end - size : end] for size, end in ends if size]
    read: Sequence[AnyDigest] = types[engine].all_from_bytes(parts) if parts else ()
    digests = iter(read)
    return [next(digests) if size else None for size in sizes]
