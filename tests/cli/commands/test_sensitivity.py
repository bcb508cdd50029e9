"""Facts about `mlmon-exporter check --sensitivity`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mlmon_exporter import Reference
from mlmon_exporter.cli.commands.sensitivity import few_outcomes, rare_positives
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


@pytest.mark.parametrize(
    ("a_day", "timed", "said"),
    [
        (200.0, False, []),
        (None, False, []),
        (40.0, False, ["add a window of 3d"]),
        (15.0, False, ["add a window of 7d", "alerts on quality never come"]),
        (15.0, True, ["add a window of 7d"]),
    ],
)
def test_too_few_outcomes_are_said(a_day: float | None, timed: bool, said: list[str]) -> None:
    rng = np.random.default_rng(0)
    ts = np.arange(4000) * 432.0
    night = ts % 86400 < 40_000
    data = {"p": np.where(night, 0.2, 0.8), "y": (rng.random(4000) < 0.5).astype(float)}
    columns, time = (data | {"ts": ts}, "ts") if timed else (data, None)
    built = Reference.build(columns, predictions="p", ground_truth="y", time_column=time)
    found = [*few_outcomes(built, Config(), a_day)]
    assert len(found) == len(said)
    assert all(words in text for words, text in zip(said, found, strict=True))
