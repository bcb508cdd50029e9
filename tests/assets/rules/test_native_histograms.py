"""Scrapes that turn classic histograms into native ones, with the same buckets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter.assets.rules.rule_files import yaml_text
from tests.newest_prometheus import newest_binary

from .alert_cases import ALERTS, series
from .conftest import running

RULES = (
    "optional/mlmon-native-histograms.yml",
    "recording/mlmon-serving.yml",
    "alerting/mlmon-serving.yml",
)
REQUESTS = series("mlmon_requests_total", model="bike", outcome="ok")
DURATION = series("mlmon_request_duration_seconds", model="bike", route="/predict")


def native(quick: int, slow: int) -> str:
    """Return a histogram that grows by so many requests a minute, with a bound at 0.5 s."""
    step = f"{{{{schema:-53 custom_values:[0.1 0.5 1] buckets:[{quick} 0 {slow}] "
    step += f"count:{quick + slow} sum:{quick + slow}}}}}"
    return f"{step}+{step}x60"


@pytest.mark.parametrize(("quick", "slow", "fires"), [(80, 20, True), (99, 1, False)])
def test_slow_answers_are_counted_by_native_histograms(
    tmp_path: Path, quick: int, slow: int, fires: bool
) -> None:
    check = {
        "expr": 'count(ALERTS{alertname="MlmonLatencyBurnFast",alertstate="firing"})',
        "eval_time": "60m",
        "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
    }
    share = {
        "expr": "round(model:mlmon_slow_requests:ratio1h, 0.01)",
        "eval_time": "60m",
        "exp_samples": [{"labels": '{job="models", model="bike"}', "value": slow / 100}],
    }
    (tmp_path / "test.yml").write_text(
        yaml_text(
            {
                "rule_files": [str(ALERTS / name) for name in RULES],
                "evaluation_interval": "1m",
                "tests": [
                    {
                        "interval": "1m",
                        "input_series": [
                            {"series": REQUESTS, "values": "0+100x60"},
                            {"series": DURATION, "values": native(quick, slow)},
                        ],
                        "promql_expr_test": [check, share],  # type: ignore[list-item]
                    }
                ],
            }
        )
    )
    assert running(newest_binary("promtool"))("test", "rules", tmp_path / "test.yml") == ""
