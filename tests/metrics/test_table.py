"""Facts about the table of metrics: names as Prometheus wants them, texts as people do."""

from __future__ import annotations

import re

import pytest

from mlmon_exporter.metrics.table import METRICS

UNITS = ("seconds", "bytes", "ratio", "rows")


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_named_by_its_type(name: str) -> None:
    kind, text = METRICS[name]
    assert re.fullmatch(r"(mlmon|process)_[a-z0-9_]+", name)
    assert kind in {"counter", "gauge", "histogram", "summary"}
    assert name.endswith("_total") == (kind == "counter")
    if kind == "histogram":
        assert name.endswith(("_seconds", "_bytes", "_rows", "_tokens", "_value")), name
    assert text[:1].isupper() or text.startswith(("mlmon_", "1 ")), text
    assert not text.endswith(".")


def test_no_name_is_another_ones_series() -> None:
    for name, (kind, _) in METRICS.items():
        for suffix in ("_bucket", "_count", "_sum") if kind == "histogram" else ():
            assert f"{name}{suffix}" not in METRICS
