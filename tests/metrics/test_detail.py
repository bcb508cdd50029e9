from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.metrics.detail import LEFT_OUT
from mlmon_exporter.metrics.table import METRICS
from tests.asgi import get


@pytest.fixture(scope="module")
def reference() -> Reference:
    rng = np.random.default_rng(0)
    numbers = {f"n{i}": rng.normal(size=2000) for i in range(40)}
    words = {f"c{i}": rng.choice([*"abcdefgh"], 2000) for i in range(10)}
    return Reference.build({**numbers, **words, "y": rng.random(2000)}, predictions="y")


def scraped(reference: Reference, path: str, detail: str) -> list[str]:
    reference.save(path)
    rng = np.random.default_rng(1)
    models = [{"name": f"m{i}", "reference": path, "routes": [f"/{i}"]} for i in range(3)]
    with Monitor(models=models, detail=detail) as monitor:  # type: ignore[arg-type]
        for model in range(3):
            rows = {f"n{i}": rng.normal(size=1000) for i in range(40)}
            words = {f"c{i}": rng.choice([*"abcdefgh"], 1000) for i in range(10)}
            monitor.observe({**rows, **words}, {"y": rng.random(1000)}, model=f"m{model}")
        text = get(monitor.metrics_app(), "/metrics").text
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("detail", "most"), [("full", 11_500), ("normal", 9_000), ("low", 2_500)])
def test_a_service_of_three_models_and_fifty_features_has_so_many_samples(
    reference: Reference, tmp_path_factory: pytest.TempPathFactory, detail: str, most: int
) -> None:
    lines = scraped(reference, str(tmp_path_factory.mktemp("r") / "r.json"), detail)
    assert most * 0.7 < len(lines) <= most
    names = {line.partition("{")[0] for line in lines}
    assert not names & LEFT_OUT[detail]
    assert ("mlmon_feature_value_bucket" in names) is (detail != "low")


def test_what_is_left_out_exists() -> None:
    for names in LEFT_OUT.values():
        assert names <= METRICS.keys()
