"""Names of categories that can be recognised, but not read: their keyed hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

HASH_BYTES = 10
"""Of ten thousand names two share a hash with a probability of 4e-17."""


class HiddenNames(NamedTuple):
    """Names that a reference has, and keeps to itself.

    The key is kept beside the hashes: one can still test a guessed name, but a table of hashes
    made once does not serve for many references.
    """

    key: bytes = b""
    """At most 64 bytes."""
    hashes: frozenset[str] = frozenset()
    once: int = 0
    """Number of names that the reference has in just one row."""

    def has(self, name: str) -> bool:
        return bool(self.hashes) and _hash(self.key, name) in self.hashes

    def to_dict(self) -> dict[str, Any]:
        return {"key": self.key.hex(), "hashes": sorted(self.hashes), "once": self.once}


NOTHING_HIDDEN = HiddenNames()


def hidden_names(rows: Mapping[str, int], key: bytes) -> HiddenNames:
    """Return the hidden names of categories, given the rows of each."""
    once = sum(count == 1 for count in rows.values())
    return HiddenNames(key, frozenset(_hash(key, name) for name in rows), once)


def read_hidden(form: Any) -> HiddenNames:
    """Read what `to_dict` gave; raises ValueError, KeyError or TypeError where it is damaged."""
    key, hashes, once = bytes.fromhex(form["key"]), form["hashes"], form["once"]
    if len(key) > hashlib.blake2b.MAX_KEY_SIZE:
        raise ValueError(f"hidden: expected a key of 64 bytes at most, got {len(key)}")
    if not isinstance(hashes, list) or not all(isinstance(each, str) for each in hashes):
        raise ValueError("hidden: expected hashes as a list of texts")
    if not isinstance(once, int) or not 0 <= once <= len(set(hashes)):
        raise ValueError(f"hidden: expected a number of its hashes as once, got {once!r}")
    return HiddenNames(key, frozenset(hashes), once)


def _hash(key: bytes, name: str) -> str:
    content = name.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=HASH_BYTES, key=key).hexdigest()
