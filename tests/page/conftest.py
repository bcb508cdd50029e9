from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from mlmon_exporter import Config, Monitor
from mlmon_exporter.cli.server import server_app
from mlmon_exporter.page.view import View
from tests.e2e.servers import serving

from .browser import Browser, chromium
from .outcomes_served import fill_outcomes, options
from .served import MODELS, configured, fill
from .shown import view


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A host's configuration, whose state has a day of rows of three models and some requests."""
    folder = tmp_path_factory.mktemp("host")
    config = Config(**configured(folder, state_dir=folder / "state"))
    monitor = Monitor(config)
    fill(monitor, now=time.time())
    for i in range(900):
        model, status = MODELS[i % 3], 500 if i % 90 == 0 else 200
        labels = (model, monitor.models[model].settings.version, f"/{model}", "POST", status)
        outcome = "server_error" if status == 500 else "ok"
        monitor._counts.requests.record(
            (*labels, outcome), (0.01 + 0.0001 * (i % 100), 0.01, 900.0, 400.0)
        )
    monitor._counts.health.drop("queue_full", 3)
    monitor.close()
    return config


@pytest.fixture(scope="session")
def url(config: Config) -> Iterator[str]:
    with serving(server_app(config)) as address:
        yield f"{address}/"


@pytest.fixture(scope="session")
def outcomes_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a host is served whose models have outcomes."""
    folder = tmp_path_factory.mktemp("outcomes")
    config = Config(**options(folder, state_dir=folder / "state"))
    monitor = Monitor(config)
    fill_outcomes(monitor, now=time.time())
    monitor.close()
    with serving(server_app(config)) as address:
        yield f"{address}/"


@pytest.fixture(scope="session")
def browser(
    require_binary: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    program = require_binary("chromium")
    with chromium(program, tmp_path_factory.mktemp("chromium") / "profile") as page:
        page.resize(1200)
        yield page


@pytest.fixture(scope="session")
def outcomes_monitor(tmp_path_factory: pytest.TempPathFactory) -> Monitor:
    monitor = Monitor(Config(**options(tmp_path_factory.mktemp("outcomes"))))
    fill_outcomes(monitor)
    return monitor


@pytest.fixture(scope="session")
def shown(outcomes_monitor: Monitor) -> View:
    return view(outcomes_monitor)


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> View:
    monitor = Monitor(Config(**options(tmp_path_factory.mktemp("calm"))))
    fill_outcomes(monitor, drifted=False)
    return view(monitor)
