"""Facts about `mlmon-exporter check --sensitivity`."""

from __future__ import annotations

import re
from pathlib import Path

from tests.command_line import succeeded


def test_check_says_after_how_long_a_shift_is_seen(config: Path) -> None:
    text = " ".join(succeeded("check", "--config", config, "--rows-per-day", "100000").split())
    assert re.search(r"1 sd is seen after [\d ]+ rows, \d+ min, 0.5 sd is seen after ", text)
    text = " ".join(succeeded("check", "--config", config, "--rows-per-day", "100").split())
    assert "1 sd is not seen, 0.5 sd is not seen" in text
