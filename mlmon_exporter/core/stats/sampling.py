"""The share of requests whose bodies are read, chosen by their prediction ids."""

from __future__ import annotations

import hashlib


def place(prediction_id: str) -> float:
    """Return a number from 0 to below 1 that an id always has: those below a share are read."""
    digest = hashlib.blake2b(prediction_id.encode("utf-8", "replace"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def may_be_read(prediction_id: str, ratio: float) -> bool:
    """Return whether a row of this id may have been read, where a share of requests is.

    The id is the request's, or that with the number of a row.
    """
    request, _, row = prediction_id.rpartition(":")
    is_row = row.isdecimal() and place(request) < ratio
    return ratio >= 1.0 or place(prediction_id) < ratio or is_row
