"""What the demo prepares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.console import Console

from mlmon_exporter.cli.demo.preparation import prepare
from mlmon_exporter.cli.demo.traffic import Latencies
from tests.cli.demo.replayed import TOKEN, Prepared


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("demo")
    bike, income, app, monitor = prepare(Console(quiet=True), folder, added := Latencies(), TOKEN)
    yield Prepared(bike, income, app, monitor, folder, added)
    monitor.close()
