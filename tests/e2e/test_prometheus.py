from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import Body, FastAPI

from mlmon_exporter import Reference, instrument
from mlmon_exporter.assets.rules.serving import budgets, native_recordings
from mlmon_exporter.assets.rules.settings import Settings
from mlmon_exporter.metrics.table import METRICS
from tests.asgi import get
from tests.newest_prometheus import newest_binary

from .servers import Prometheus, prometheus, serving, wait_until

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: models
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    rng = np.random.default_rng(0)
    rows = {
        "temp": rng.normal(size=5000),
        "<script>": rng.lognormal(size=5000),
        'quo"te\\': rng.choice(["a", "b\n", "ü", ""], 5000),
        "prediction": rng.random(5000),
    }
    Reference.build(rows, predictions="prediction").save(tmp_path / "m.json")
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return {"predictions": [0.5] * len(body["instances"])}

    monitor = instrument(app, model="m", reference=str(tmp_path / "m.json"))
    monitor.observe({"temp": rng.normal(size=1000) + 2.0, "<script>": rng.lognormal(size=1000)})
    return app


def scraped(server: Prometheus) -> float:
    """Return when a scrape was made without an error: a later one may take too long."""
    times: list[float] = []

    def is_scraped() -> bool:
        times[:] = [time for _, time in server.query("timestamp(up) and up == 1")]
        return bool(times)

    wait_until(is_scraped, what="a scrape without an error")
    return times[0]


@pytest.mark.parametrize("program", ["promtool"])
def test_promtool_finds_nothing_to_complain_of(
    app: FastAPI, program: str, require_binary: Callable[[str], str]
) -> None:
    promtool = require_binary(program)
    text = get(app, "/metrics").content
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert done.stdout + done.stderr == b""
    assert done.returncode == 0


def test_prometheus_with_its_defaults_scrapes_everything_without_an_error(
    app: FastAPI, tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    binary = require_binary("prometheus")
    with serving(app) as url:
        with httpx.Client(base_url=url, timeout=60) as client:
            for i in range(120):
                client.post("/predict", json={"instances": [{"temp": i, "<script>": 1.0}]})
        config = CONFIG.format(target=url.removeprefix("http://"))
        with prometheus(binary, tmp_path / "prometheus", config) as server:
            at = scraped(server)
            assert server.query("mlmon_prediction_rows_total", at)[0][1] == 1120
            drifted = {
                labels["feature"]: value
                for labels, value in server.query('mlmon_feature_drifted{window="1h"}', at)
            }
            assert drifted["temp"] == 1
            assert drifted["<script>"] == 0
            found = server.query('{__name__=~"mlmon_.+"}', at)
            names = {labels["__name__"] for labels, _ in found}
            assert len(names) > 60
            for name in names:
                family = name
                for suffix in ("_bucket", "_count", "_sum"):
                    family = family if family in METRICS else name.removesuffix(suffix)
                assert family in METRICS


NATIVE = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: models
    convert_classic_histograms_to_nhcb: true
    static_configs: [{{targets: ["{target}"]}}]
"""


def test_the_newest_prometheus_may_make_histograms_native_and_sees_no_created_times(
    tmp_path: Path,
) -> None:
    binary, app = newest_binary("prometheus"), FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        time.sleep(body["seconds"])
        return {"predictions": [0.5]}

    instrument(app, model="m", routes=["/predict"])
    features = "--enable-feature=native-histograms"
    native = native_recordings(Settings())[0].rules[0].expr
    with serving(app) as url:
        config = NATIVE.format(target=url.removeprefix("http://"))
        with prometheus(binary, tmp_path / "prometheus", config, features) as server:
            scraped(server)  # the histogram at 0
            with httpx.Client(base_url=url, timeout=60) as client:
                for seconds in (*[0.0] * 6, 0.6, 0.6):
                    client.post("/predict", json={"instances": [{"x": 1}], "seconds": seconds})
            answered = "histogram_count(mlmon_request_duration_seconds) == 8"
            wait_until(lambda: server.query(answered), what="a scrape of all requests")
            now = time.time()
            [(_, all_)] = server.query(
                "histogram_count(sum(rate(mlmon_request_duration_seconds[5m])))", now
            )
            [(labels, slow)] = server.query(native, now)
            assert (labels["job"], labels["model"]) == ("models", "m")
            # A busy machine may make quick requests slow.
            [(_, within)] = server.query(
                "histogram_count(mlmon_request_duration_seconds)"
                " * histogram_fraction(-Inf, 0.5, mlmon_request_duration_seconds)"
            )
            assert 2 <= 8 - within <= 8
            assert slow / all_ == pytest.approx((8 - within) / 8)
            # The rule on classic histograms is absent, and not 0.
            assert server.query(budgets(Settings())[1].bad) == []
            assert server.query('{__name__=~"mlmon_.+_created"}') == []
