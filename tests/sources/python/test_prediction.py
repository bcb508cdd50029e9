"""Predictions made in Python are counted as requests are, and cost their code nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlmon_exporter import Monitor
from tests.references import small_reference


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return small_reference(tmp_path)


@pytest.fixture
def monitor(reference: str) -> Iterator[Monitor]:
    with Monitor(model="m", version="3", reference=reference) as monitor:
        yield monitor


def value(monitor: Monitor, name: str, **labels: str) -> float:
    found = (r for r in monitor.readings() if r.name == name and labels.items() <= r.labels.items())
    return sum(reading.value for reading in found)


OK = {"model": "m", "version": "3", "method": "other", "status": "200", "outcome": "ok"}
FAULT = {**OK, "status": "500", "outcome": "server_error"}


def test_a_block_is_a_request_with_its_rows(monitor: Monitor) -> None:
    with monitor.prediction("orders") as p:
        p.features = {"a": 1.5, "b": "x"}
        p.output = 0.25
        labels = {"model": "m", "version": "3", "route": "orders"}
        assert value(monitor, "mlmon_requests_in_progress", **labels) == 1
    assert value(monitor, "mlmon_requests_in_progress") == 0
    assert value(monitor, "mlmon_requests_total", route="orders", **OK) == 1
    assert value(monitor, "mlmon_request_duration_seconds_count", route="orders") == 1
    assert value(monitor, "mlmon_prediction_rows_total", model="m", version="3") == 1
    assert value(monitor, "mlmon_feature_value_sum", feature="a") == 1.5
    assert value(monitor, "mlmon_prediction_value_sum") == 0.25


@pytest.mark.parametrize(
    ("features", "output"),
    [
        ({"a": [1.0, 2.0, 3.0], "b": ["x", "y", None]}, [1, 2, 3]),
        (
            pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", None]}),
            pd.DataFrame({"p": [1, 2, 3]}),
        ),
        ({"a": np.array([1.0, 2.0, 3.0]), "b": ["x", "y", ""]}, {"p": np.array([1, 2, 3])}),
    ],
)
def test_columns_and_frames_are_read_as_observe_reads_them(
    monitor: Monitor, features: Any, output: Any
) -> None:
    with monitor.prediction() as p:
        p.features, p.output, p.version = features, output, "4"
    assert value(monitor, "mlmon_requests_total", route="python", **OK) == 1
    assert value(monitor, "mlmon_prediction_rows_total", version="4") == 3
    assert value(monitor, "mlmon_feature_value_sum", feature="a") == 6
    assert value(monitor, "mlmon_prediction_value_sum") == 6


def test_an_error_passes_unchanged_and_counts_without_rows(monitor: Monitor) -> None:
    error = LookupError("no such customer")

    def handle() -> None:
        with monitor.prediction("orders") as p:
            p.features, p.output = {"a": 1.5}, 0.25
            raise error

    with pytest.raises(LookupError) as raised:
        handle()
    assert raised.value is error
    assert value(monitor, "mlmon_requests_total", route="orders", **FAULT) == 1
    assert value(monitor, "mlmon_requests_total", route="orders", **OK) == 0
    assert value(monitor, "mlmon_prediction_rows_total") == 0


def test_a_cancelled_task_counts_as_a_time_out(monitor: Monitor) -> None:
    async def late() -> None:
        async with asyncio.timeout(0), monitor.prediction():
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(late())
    assert value(monitor, "mlmon_requests_total", status="504", outcome="server_error") == 1


def test_a_block_without_features_and_output_is_timed_alone(monitor: Monitor) -> None:
    with monitor.prediction():
        pass
    assert value(monitor, "mlmon_requests_total", **OK) == 1
    assert value(monitor, "mlmon_prediction_rows_total") == 0


class Broken:
    """A mapping's value that raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_a_fault_in_reading_is_not_seen_by_the_code(monitor: Monitor) -> None:
    with monitor.prediction() as p:
        p.features, p.output = {"a": Broken()}, 1.0
    assert value(monitor, "mlmon_internal_errors_total") == 1


def test_threads_and_tasks_count_exactly(monitor: Monitor) -> None:
    def work(number: int) -> None:
        for _ in range(200):
            with monitor.prediction(f"queue-{number}") as p:
                p.features, p.output = {"a": 1.0, "b": "x"}, 1.0

    async def tasks() -> None:
        async def task() -> None:
            async with monitor.prediction("task") as p:
                await asyncio.sleep(0)
                p.features, p.output = {"a": 1.0, "b": "x"}, 1.0

        await asyncio.gather(*(task() for _ in range(200)))

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(work, range(8))]
    asyncio.run(tasks())
    assert value(monitor, "mlmon_requests_total", **OK) == 1800
    assert value(monitor, "mlmon_prediction_rows_total") == 1800
    assert value(monitor, "mlmon_feature_value_sum", feature="a") == 1800
