"""Facts about `mlmon-exporter check --sensitivity`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mlmon_exporter import Reference
from mlmon_exporter.cli.commands.sensitivity import rare_positives
from mlmon_exporter.config.keys import Config
from tests.command_line import succeeded


def test_check_says_after_how_long_a_shift_is_seen(config: Path) -> None:
    text = " ".join(succeeded("check", "--config", config, "--rows-per-day", "100000").split())
    assert re.search(r"1 sd is seen after [\d ]+ rows, \d+ min, 0.5 sd is seen after ", text)
    text = " ".join(succeeded("check", "--config", config, "--rows-per-day", "100").split())
    assert "1 sd is not seen, 0.5 sd is not seen" in text


@pytest.mark.parametrize("rows_per_day", [2000.0, None, 20_000.0])
def test_rare_positives_want_a_longer_window(rows_per_day: float | None) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(10_000) % 1000 == 0
    data = {"p": rng.random(10_000), "y": truth.astype(float)}
    reference = Reference.build(data, predictions="p", ground_truth="y", task="classification")
    said = [*rare_positives(reference, Config().windows, rows_per_day)]
    # Two a day, ten in five days; without the traffic nothing can be said.
    assert len(said) == (rows_per_day == 2000.0)
    assert all("window of 24h has about 2 of them" in text and "5d" in text for text in said)
