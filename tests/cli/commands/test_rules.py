"""`check --rules` against a running exporter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.assets.bundle import assets_root
from tests.command_line import error, run, succeeded
from tests.e2e.servers import serving

RULES = """\
groups:
  - name: a
    rules:
      - alert: NoRows
        expr: rate(mlmon_prediction_row_total[5m]) + mlmon_old == 0
      - alert: Errors
        expr: mlmon_feature_drifted > 0 and mlmon_old
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    monitor = Monitor(metrics_token="secret")
    with serving(monitor.metrics_app()) as address:
        yield f"{address}/metrics"
    monitor.close()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules.yml").write_text(RULES)
    return tmp_path


def test_bundled_rules_fit(url: str) -> None:
    text = succeeded(
        "check", "--rules", assets_root() / "alerts", "--url", url, "--metrics-token", "secret"
    )
    assert "OK: " in text
    assert text.endswith("metrics, none is missing.")


def test_what_is_missing_is_told_by_file_and_rule(url: str, rules: Path) -> None:
    result = run("check", "--rules", rules, "--url", url, "--metrics-token", "secret")
    assert result.exit_code == 2
    rows = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert rows[2:7] == [
        ["rules.yml"],
        ["NoRows", "mlmon_prediction_row_total"],
        ["perhaps", "mlmon_prediction_rows_total"],
        ["mlmon_old"],
        ["Errors", "mlmon_old"],
    ]
    assert "Not served yet, but with the first row, event or error: mlmon_feature_drifted." in (
        " ".join(result.stdout.split())
    )
    assert "got 2 that it never serves, in 2 rules; write the rules anew" in result.stderr


def test_the_token_may_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMON_METRICS_TOKEN", "secret")
    assert "OK" in succeeded("check", "--rules", assets_root() / "alerts", "--url", url)


def test_what_does_not_answer_with_metrics_is_named(url: str, rules: Path) -> None:
    assert error("check", "--rules", rules, "--url", url) == (
        f"--url: {url}: expected metrics, got status 401; give --metrics-token"
    )
    assert error("check", "--rules", rules, "--url", "localhost").startswith(
        "--url: expected one such as http://127.0.0.1:8000/metrics, got 'localhost'"
    )
    assert "cannot be read: [Errno 111]" in error(
        "check", "--rules", rules, "--url", "http://127.0.0.1:1/metrics"
    )


def test_rules_that_are_not_there_are_named(tmp_path: Path) -> None:
    assert error("check", "--rules", tmp_path / "x") == f"{tmp_path}/x: No such file or directory"
