from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from mlmon_exporter import Monitor


def test_a_registry_of_prometheus_client_can_hold_the_monitor() -> None:
    monitor = Monitor(model="m")
    registry = CollectorRegistry()
    registry.register(monitor.collector())
    monitor.observe({"age": 30, "income": 1e4, "city": "Uri"}, 0.5)
    assert b'mlmon_prediction_rows_total{model="m",version=""} 1.0' in generate_latest(registry)


def test_a_fault_of_ours_leaves_the_rest_of_a_registry_alone() -> None:
    monitor = Monitor(model="m")
    registry = CollectorRegistry()
    Gauge("theirs", "A metric of the user's own", registry=registry).set(3)
    registry.register(monitor.collector())
    monitor._in_flight[0] = {"method": "GET", "endpoint": Gauge}  # a scope without a path
    text = generate_latest(registry)
    assert b"\ntheirs 3.0\n" in text
    assert b"\nmlmon_" not in text
    assert monitor._counts.health.counters["mlmon_internal_errors_total"].cells["scrape",] == 1
