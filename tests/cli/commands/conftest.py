"""A configuration to check."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_build_reference import build


@pytest.fixture
def config(train: Path, folder: Path) -> Path:
    build(train)
    path = folder / "mlmon.toml"
    path.write_text(
        'windows = ["1h"]\n'
        '[[models]]\nname = "bike"\nversion = "7"\ntask = "regression"\nroutes = ["/predict"]\n'
        'reference = "bike.reference.json"\nsegments = ["season"]\n'
    )
    return path
