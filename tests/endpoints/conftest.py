"""A reference on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monitor.served import reference_file


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return reference_file(tmp_path)
