"""Facts about reading the bodies of a route over time, in any format, of one model or many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mlmon_exporter.config.keys import Config, ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.intake.bodies import MOST_SKIPPED, PATIENCE, BodyReader
from tests.formats.bodies import exchange

FLAT: Mapping[str, Any] = {"a": 1}
CHAT: Mapping[str, Any] = {"messages": [{"role": "user", "content": "my secret"}]}
V1 = {"signature_name": "s", "instances": [{"a": 1}, {"a": 2}]}


def reader_of(**options: Any) -> tuple[BodyReader, Health]:
    config = Config(**options)
    models = {model.name: Model(ModelSettings(model.name), None) for model in config.models}
    health = Health()
    return BodyReader(config, models, health), health


def sent(body: Any, model: str = "default", route: str = "/predict", **more: Any) -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = more.pop("answer", b'{"prediction": 1}')
    return exchange(content, answer, **more)._replace(model=model, route=route)


def errors(health: Health) -> dict[tuple[str, ...], int]:
    return {key: n for key, n in health.counters["mlmon_parse_errors_total"].cells.items() if n}


def skipped(health: Health) -> int:
    return health.counters["mlmon_dropped_total"].cells["unreadable_route",]


# --- Formats ---


def test_a_route_changes_its_format_when_bodies_stop_fitting() -> None:
    reader, health = reader_of()
    columns = []
    for body in (FLAT, CHAT, FLAT, CHAT):
        read = reader.read(sent(body))
        assert read is not None
        columns.append([*read[1].features][:2])
    assert columns == [["a"], ["endpoint", "messages"]] * 2
    # The answers are no chat's; the requests were all read.
    assert set(errors(health)) <= {("openai", "no_predictions")}


def test_a_format_that_is_settled_is_not_changed() -> None:
    reader, health = reader_of(models=[{"name": "default", "format": "json"}])
    assert reader.read(sent(CHAT)) is None
    assert errors(health) == {("json", "not_a_prediction"): 1}


# --- Models ---

TWO = {"models": [{"name": "small"}, {"name": "large"}]}


def test_the_model_that_a_body_names_takes_the_place_of_the_routes() -> None:
    reader, _ = reader_of(models=[{"name": "small"}, {"name": "large", "routes": ["/x"]}])
    for named, expected in (("large", "large"), ("small", "small"), ("gpt", "small")):
        read = reader.read(sent({**CHAT, "model": named}, "small", "/v1/chat/completions"))
        assert read is not None
        assert read[0] == expected


def test_on_a_shared_route_a_request_must_name_a_model() -> None:
    reader, health = reader_of(**TWO)
    route = "/v1/chat/completions"
    for _ in range(10 * PATIENCE):
        assert reader.read(sent({**CHAT, "model": "gpt"}, "other", route)) is None
    assert errors(health) == {("openai", "unknown_model"): 10 * PATIENCE}
    read = reader.read(sent({**CHAT, "model": "large"}, "other", route))
    assert read is not None
    assert read[0] == "large"


def test_the_model_in_the_path_has_its_own_body_map() -> None:
    reader, _ = reader_of(models=[{"name": "small"}, {"name": "large", "features": "payload.rows"}])
    path = "/v1/models/large:predict"
    body = {"payload": {"rows": [{"a": 1}, {"a": 2}]}}
    answer = b'{"predictions": [1, 2]}'
    read = reader.read(sent(body, "other", path=path, answer=answer))
    assert read is not None
    name, batch = read
    assert (name, batch.rows, batch.features) == ("large", 2, {"a": [1, 2]})


def test_with_one_model_no_name_matters() -> None:
    reader, _ = reader_of()
    read = reader.read(sent({**CHAT, "model": "gpt"}))
    assert read is not None
    assert read[0] == "default"


# --- Routes that nobody can read ---


def test_most_bodies_of_a_route_that_nobody_can_read_are_not_tried() -> None:
    reader, health = reader_of()
    bad = sent(b"\x00", answer=b"\x00")
    for _ in range(PATIENCE):
        reader.read(bad)
    assert (skipped(health), sum(errors(health).values())) == (0, PATIENCE)
    for _ in range(10_000):
        reader.read(bad)
    tried = sum(errors(health).values())
    assert tried + skipped(health) == 10_000 + PATIENCE
    # 8 at first, then after 1, 2, 4, ... 256 others, and from then on one of 257.
    assert tried == PATIENCE + 9 + (10_000 - 9 - (2 * MOST_SKIPPED - 1)) // (MOST_SKIPPED + 1)


def test_a_route_that_can_be_read_again_is_read_again() -> None:
    reader, health = reader_of()
    for _ in range(1000):
        reader.read(sent(b"\x00", answer=b"\x00"))
    given_up = skipped(health)
    reads = [reader.read(sent(FLAT)) for _ in range(MOST_SKIPPED + 10)]
    assert skipped(health) - given_up <= MOST_SKIPPED
    assert all(read is not None for read in reads[-9:])
    assert skipped(health) == given_up + sum(read is None for read in reads)


def test_one_routes_failures_are_not_anothers() -> None:
    reader, _ = reader_of()
    for _ in range(100):
        reader.read(sent(b"\x00", route="/upload", answer=b"\x00"))
    assert reader.read(sent(FLAT)) is not None


def test_a_body_that_can_be_read_now_and_then_keeps_a_route_going() -> None:
    reader, health = reader_of()
    for _ in range(100):
        for _ in range(PATIENCE - 1):
            reader.read(sent(b"\x00", answer=b"\x00"))
        assert reader.read(sent(FLAT)) is not None
    assert skipped(health) == 0


def test_others_may_run_once_each_body_was_decoded() -> None:
    reader, _ = reader_of()
    pauses: list[int] = []
    assert reader.read(sent(FLAT), lambda: pauses.append(1)) is not None
    assert len(pauses) == 2


def test_half_of_an_exchange_is_enough_to_go_on() -> None:
    reader, health = reader_of()
    for _ in range(100):
        assert reader.read(sent(FLAT, answer=b"\x00")) is not None
    assert errors(health) == {("json", "not_json"): 100}


def test_formats_of_models_are_checked() -> None:
    with pytest.raises(ValueError, match=r"model m: format: expected auto, .*got 'jsno'"):
        reader_of(models=[ModelConfig(name="m", format="jsno")])
