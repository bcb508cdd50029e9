"""Facts about `mlmon-exporter report`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlmon_exporter import Monitor
from mlmon_exporter.reference.reference import Reference
from tests.command_line import error, succeeded


def test_report_writes_one_file_from_the_state(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Reference.build({"a": rng.normal(size=500)}).save(tmp_path / "m.json")
    config = tmp_path / "mlmon.toml"
    config.write_text("state_dir = 'state'\n[[models]]\nname = 'm'\nreference = 'm.json'\n")
    monitor = Monitor(config)
    monitor.observe({"a": rng.normal(size=300) + 2.0})
    monitor.close()
    out = tmp_path / "report.html"
    assert "Wrote" in succeeded("report", "--config", config, "--out", out)
    page = out.read_text()
    assert "1 of 1 column drifted" in page
    assert "24h window</title>" in page
    succeeded("report", "--config", config, "--out", out, "--window", "1h")
    assert "1h window</title>" in out.read_text()
    assert error("report", "--config", config, "--out", out, "--window", "2h") == (
        "window: expected one of 1h, 24h, got '2h'"
    )
    assert error("report", "--config", config, "--out", tmp_path / "no" / "report.html") == (
        f"{tmp_path / 'no' / 'report.html'}: No such file or directory"
    )


def test_report_without_a_state_says_what_to_set(tmp_path: Path) -> None:
    config = tmp_path / "mlmon.toml"
    config.write_text("")
    message = error("report", "--config", config, "--out", tmp_path / "report.html")
    assert message.startswith("state_dir: expected the folder that the model server writes to")
