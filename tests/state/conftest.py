"""A reference and a state directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from mlmon_exporter import Reference

from .harms import small_disk


@pytest.fixture
def reference(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    path = tmp_path / "m.json"
    Reference.build({"x": rng.normal(size=5000), "y": rng.random(5000)}, predictions="y").save(path)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The state directory, on a small disk where the test fills it."""
    folder = tmp_path / "state"
    with ExitStack() as stack:
        if request.node.callspec.params["reason"] == "full":
            stack.enter_context(small_disk(folder))
        yield folder
