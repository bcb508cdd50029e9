"""How much memory a piece of a test takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most_traced(limit_bytes: int) -> Iterator[None]:
    """Fail where Python allocates more than `limit_bytes` at once, beyond what it had."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit_bytes, f"expected less than {limit_bytes} bytes, got {peak}"
