"""Facts about what reading costs, as ratios of times taken in turns."""

from __future__ import annotations

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import parse
from tests.bench.parsing import BINARY_V2, BODY_MAP, JSON_V2, exchanges, microseconds


def test_each_form_of_the_bench_is_read_whole() -> None:
    for name, exchange in exchanges(3).items():
        parsed = parse(exchange, BODY_MAP, name.partition(" ")[0])
        batch = parsed.batch
        assert (parsed.problems, batch.rows, len(batch.predictions)) == ((), 3, 1), name
        assert tuple(batch.features) == BODY_MAP.feature_names, name


def test_all_forms_hold_the_same_rows() -> None:
    def value(exchange: Exchange, name: str) -> float:
        batch = parse(exchange, BODY_MAP, name.partition(" ")[0]).batch
        return float(batch.features["feature_7"][2])

    assert len({value(exchange, name) for name, exchange in exchanges(3).items()}) == 1


def test_binary_tensors_are_much_cheaper_than_json() -> None:
    # Five times is the goal of `make bench`; beside other tests half of it is certain.
    taken = microseconds(1000, 0.1, [JSON_V2, BINARY_V2])
    assert taken[JSON_V2] / taken[BINARY_V2] > 2.5
