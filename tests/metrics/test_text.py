from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_classic

from mlmon_exporter.core.records import Exemplar, Histograms, Readings
from mlmon_exporter.metrics.collector import MlmonCollector
from mlmon_exporter.metrics.table import METRICS
from mlmon_exporter.metrics.text import Exposition

Block = Readings | Histograms
MARK = Exemplar("a" * 32, "b" * 16, 0.02, 1_700_000_000.5)


def blocks() -> list[Block]:
    names = ("model", "version", "feature", "window")
    labels = tuple(("m", "", name, "1h") for name in ('a"b\\c\nd', "ünï", "gone"))
    values = np.array([0.25, 1e-300, math.nan])
    requests = Histograms(
        "mlmon_request_duration_seconds",
        ("model", "version", "route"),
        (("m", "", "/predict"),),
        [(0.01, 0.1)],
        [[1, 2, 3]],
        [4.5],
        [{1: MARK}],
    )
    negative = Histograms(
        "mlmon_feature_value",
        ("model", "version", "feature"),
        (("m", "", "t"),),
        [(-1.5, 0.0)],
        [np.array([1, 0, 2])],
        [-3.0],
    )
    return [
        Readings("mlmon_feature_psi", names, labels, values),
        Readings("mlmon_dropped_total", ("reason",), (("queue_full",),), [7]),
        Readings("mlmon_feature_quantile", ("quantile",), (("0.5",),), [-math.inf]),
        requests,
        negative,
    ]


def render(readings: Sequence[Block], *, is_open_metrics: bool = False) -> str:
    return Exposition(is_open_metrics).render(readings).decode()


def samples(text: Iterable[Any]) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
    return sorted(
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text
        for sample in family.samples
    )


def read(text: str) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
    return samples(read_open(text))


def unexpected(fault: Exception) -> None:
    raise fault


def test_text_says_what_prometheus_client_says() -> None:
    registry = CollectorRegistry()
    registry.register(MlmonCollector(lambda pause: blocks(), unexpected))
    theirs = samples(read_classic(generate_latest(registry).decode()))
    assert samples(read_classic(render(blocks()))) == theirs
    assert len(theirs) == 2 + 1 + 1 + 5 + 3


def test_open_metrics_says_what_prometheus_client_says() -> None:
    registry = CollectorRegistry()
    registry.register(MlmonCollector(lambda pause: blocks(), unexpected))
    theirs = generate_open_metrics(registry).decode()
    ours = render(blocks(), is_open_metrics=True)
    assert read(ours) == read(theirs)


def test_created_times_are_absent_since_a_state_outlives_processes() -> None:
    """The time of a worker's start would tell Prometheus of a counter that began anew."""
    registry = CollectorRegistry()
    registry.register(MlmonCollector(lambda pause: blocks(), unexpected))
    ours = render(blocks(), is_open_metrics=True) + render(blocks())
    theirs = generate_latest(registry) + generate_open_metrics(registry)
    assert "_created" not in ours + theirs.decode()


def test_exemplars_are_in_open_metrics_only() -> None:
    line = f'le="0.1"}} 3 # {{span_id="{"b" * 16}",trace_id="{"a" * 32}"}} 0.02 1700000000.500'
    assert line in render(blocks(), is_open_metrics=True)
    assert " # {" not in render(blocks())


def test_a_number_that_is_not_known_has_no_line() -> None:
    assert 'feature="gone"' not in render(blocks())


def test_a_histogram_of_negative_values_has_no_sum() -> None:
    text = render(blocks())
    assert "mlmon_feature_value_bucket" in text
    assert "mlmon_feature_value_sum" not in text
    assert "mlmon_feature_value_count" not in text


def test_every_family_has_one_header() -> None:
    lines = render([*blocks(), *blocks()]).splitlines()
    heads = [line for line in lines if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads)) == 5


def test_unchanged_readings_are_not_rendered_again() -> None:
    class Counted(list[float]):
        looks = 0

        def __iter__(self) -> Iterator[float]:
            Counted.looks += 1
            return super().__iter__()

    reading = Readings("mlmon_feature_psi", ("feature",), (("a",),), Counted([0.5]))
    exposition = Exposition(is_open_metrics=False)
    first = exposition.render([reading])
    looks = Counted.looks
    assert exposition.render([reading]) == first
    assert Counted.looks == looks
    changed = Readings("mlmon_feature_psi", ("feature",), reading.labels, Counted([0.75]))
    assert b"0.75" in exposition.render([changed])


def test_nothing_is_kept_of_readings_that_are_gone() -> None:
    exposition = Exposition(is_open_metrics=False)
    for model in range(50):
        labels = ((f"model {model}",),)
        exposition.render([Readings("mlmon_feature_psi", ("model",), labels, [1.0])])
    assert len(exposition._prefixes) == len(exposition._blocks) == 1


def test_a_lone_surrogate_breaks_no_scrape() -> None:
    reading = Readings("mlmon_feature_psi", ("feature",), (("\ud800",),), [1.0])
    assert 'feature="?"' in render([reading])


def test_describe_names_every_metric_and_computes_nothing() -> None:
    def fail(pause: object) -> list[Block]:
        raise AssertionError("computed")

    described = {metric.name for metric in MlmonCollector(fail, unexpected).describe()}
    ours = {name.removesuffix("_total") for name in METRICS if name.startswith("mlmon_")}
    assert described == ours


@pytest.mark.parametrize("name", METRICS)
def test_names_follow_the_conventions_of_prometheus(name: str) -> None:
    kind, text = METRICS[name]
    assert (kind == "counter") == name.endswith("_total")
    assert kind in ("counter", "gauge", "histogram", "summary")
    assert text
    assert not text.endswith(".")
