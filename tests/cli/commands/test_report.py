"""Facts about `mlmon-exporter report`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fastapi import FastAPI

from mlmon_exporter import Monitor, instrument
from mlmon_exporter.reference.reference import Reference
from tests.command_line import error, succeeded
from tests.e2e.servers import serving


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
    assert message.startswith("report: expected --url, the page of a server that runs, or a conf")


def test_report_asks_a_server_that_runs_without_a_state(tmp_path: Path) -> None:
    app = FastAPI()
    rng = np.random.default_rng(0)
    Reference.build({"a": rng.normal(size=500)}).save(tmp_path / "m.json")
    monitor = instrument(
        app,
        model="m",
        reference=tmp_path / "m.json",
        page_path="/mlmon",
        metrics_token=("old", "new"),
    )
    monitor.observe({"a": rng.normal(size=300) + 2.0})
    out = tmp_path / "report.html"
    with serving(app) as url:
        page = f"{url}/mlmon"
        given = ("report", "--out", out, "--token", "old,new", "--url")
        assert "Wrote" in succeeded(*given, f"{page}?paused=1", "--window", "1h")
        text = out.read_text()
        assert "1h window</title>" in text
        assert 'href="?' not in text  # a file links to itself alone
        assert "answered 401" in error("report", "--out", out, "--url", page)
        assert error(*given, f"{url}/docs") == (
            f"--url: expected the page of mlmon-exporter, got another at {url}/docs"
        )
