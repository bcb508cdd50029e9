"""Facts about configured models and their references."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter import ConfigError, Monitor


def test_a_missing_reference_stops_at_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(ConfigError) as raised:
        Monitor(model="m", reference=str(path))
    assert str(raised.value) == (
        f"{path}: cannot read the reference: No such file or directory; "
        "make one with 'mlmon-exporter build-reference'"
    )
