"""Alerts of the past are those of the time: a log of what was served gives the pages and tickets
that a running Prometheus and Alertmanager sent while it was served."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import httpx
import numpy as np

from mlmon_exporter import Config, Reference
from mlmon_exporter.assets.rules import Settings
from mlmon_exporter.assets.rules.notices import KINDS
from mlmon_exporter.cli.past_alerts import PastAlerts
from mlmon_exporter.reference.replay import LogColumns, Replay, replay
from mlmon_exporter.reference.settings import model_settings

from .pager import PACED, WINDOWS, app_of, watched
from .servers import PATIENCE, serving

pytestmark = PACED
SETTINGS = Settings(hour_seconds=24, severities={"MlmonFleetDrift": "critical"})
EVERY = 0.5
"""Seconds between scrapes, and between looks."""
ROWS = 40
OF_MODELS = {"data", "drift", "quality"}
"""Subsystems whose alerts read what a log can tell."""


class Served(NamedTuple):
    """Rows that were served."""

    at: float
    """Unix seconds."""
    rows: Mapping[str, list[float]]


class Client:
    """Posts rows, and keeps a log of them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._rng = np.random.default_rng(2)
        self._pause = Event()
        self.log: list[Served] = []

    def post_until(self, is_done: Callable[[], bool], shift: float, what: str) -> None:
        end = time.monotonic() + PATIENCE
        with httpx.Client(timeout=60) as client:
            while not is_done():
                assert time.monotonic() < end, what
                temps = self._rng.normal(shift, 1.0, ROWS).tolist()
                answers = self._rng.random(ROWS).tolist()
                instances = [{"temp": temp, "wind": temp} for temp in temps]
                body = {"instances": instances, "answers": answers, "fail": False}
                rows = {"temp": temps, "wind": temps, "cnt": answers}
                self.log.append(Served(time.time(), rows))
                client.post(f"{self._url}/predict", json=body).raise_for_status()
                self._pause.wait(0.02)


def past_of(log: list[Served], reference: str, promtool: str) -> set[tuple[str, str]]:
    """Kind and name of the alerts in the notices of a log."""
    config = Config(windows=WINDOWS, models=[{"name": "bike", "reference": reference}])
    past = PastAlerts(promtool, EVERY, SETTINGS)
    known = Reference.load(reference).for_model("bike.json")
    settings = model_settings(config, config.models[0])
    one = Replay(known, settings, LogColumns("ts"), EVERY, on_look=past.add)
    columns: dict[str, Any] = {
        name: np.array([*chain.from_iterable(served.rows[name] for served in log)])
        for name in log[0].rows
    }
    columns["ts"] = np.repeat([served.at for served in log], ROWS)
    replay([one], [columns])
    return {
        (notice.kind, alert["alertname"]) for notice in past.notices() for alert in notice.alerts
    }


def reference_in(folder: Path) -> str:
    rng = np.random.default_rng(1)
    temp = rng.normal(size=5000)
    rows = {"temp": temp, "wind": temp, "cnt": rng.random(5000)}
    rows["sent"] = rng.uniform(0, 1200, 5000)  # without times, drift pages nobody
    path = str(folder / "bike.json")
    Reference.build(rows, predictions="cnt", time_column="sent", windows=WINDOWS).save(path)
    return path


def test_a_log_gives_the_pages_and_tickets_that_were_sent_while_it_was_served(
    tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    reference = reference_in(tmp_path)
    with (
        watched(tmp_path, SETTINGS, require_binary) as job,
        serving(app_of(reference, "bike")) as url,
    ):
        job.scrape(int(url.rpartition(":")[2]))
        client = Client(url)
        enough = "sum(mlmon_prediction_rows_total) > 3000"
        client.post_until(lambda: job.holds(enough), 0.0, "rows")
        begun = time.time()
        client.post_until(lambda: time.time() > begun + SETTINGS.span_seconds("30m"), 0.0, "calm")
        for status, shift in (("firing", 3.0), ("resolved", 0.0)):
            is_told = partial(job.told, "MlmonFleetDrift", "bike", status)
            client.post_until(is_told, shift, f"a page is {status}")
    sent = {
        (KINDS[n.receiver], n.name)
        for n in job.inbox.notices
        if n.receiver in KINDS and n.labels["subsystem"] in OF_MODELS and n.status == "firing"
    }
    assert sent == {("page", "MlmonFleetDrift"), ("ticket", "MlmonFeatureDrift")}
    assert past_of(client.log, reference, require_binary("promtool")) == sent
