"""The law of the intake: exchanges that are taken in together count as one by one."""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.runtime.pace import Pace
from tests.formats.bodies import exchange, read_all
from tests.intake.waiting import waiting

NOW = time.time()
ROW = {"age": 41, "city": "Oslo", "fee": 2.5}
REQUESTS: Sequence[Any] = (
    *({"instances": [{**ROW, "age": age}]} for age in (1, 2.5, None, "7", "x", True, 10**30)),
    *(ROW, {**ROW, "city": "Rome"}, {"city": "Oslo", "age": 3, "fee": 1}, {"age": 1}),
    *({**ROW, "prompt": "x"}, {**ROW, "query": "{ a }"}, {"data": 1, **ROW}, {**ROW, "data": [1]}),
    *({"instances": [[1, "Oslo", 2]]}, {"instances": [[1, "Oslo"]]}, {"instances": [ROW, ROW]}),
    *({"instances": [{**ROW, "age": [4]}]}, {"instances": []}, {"instances": [[1, [2], 3]]}),
    *({"instances": [ROW], "more": 1}, {"instances": {"age": [1, 2]}}, {"inputs": [ROW]}),
    *({"messages": [{"role": "user", "content": "hi"}]}, {"features": ROW}, {"rows": [ROW]}),
    *(b'{"age": NaN, "city": "Oslo", "fee": 1}', b"", b"7", b"[1", b"2]", b"{} , {}", b"\xff\xfe"),
    gzip.compress(json.dumps(ROW).encode()),
)
ANSWERS: Sequence[Any] = (
    *({"predictions": [1]}, {"predictions": [0]}, {"prediction": 0}, {"prediction": [1]}),
    *({"prediction": 1, "id": "a"}, {"id": "a", "prediction": 1}, {"predictions": [1, 2]}),
    *({"prediction": 1, "model_version": "2"}, {"prediction": 1, "model_version": [2]}),
    *({"predictions": [[1]]}, {"predictions": [{"prediction": 1}]}, {"other": 1}, {}, [1], 1, b""),
)
ROUTES = ("/predict", "/v1/models/m:predict", "/v1/models/m/versions/3:predict", "/v2/repository/x")
OURS_ALONE = re.compile(r"name='(process_|python_|[^']*_seconds)")
"""Readings of the process and of the clock, which differ from one monitor to the next."""
ANY_EXCHANGE = st.tuples(
    st.sampled_from(REQUESTS),
    st.sampled_from(ANSWERS),
    st.sampled_from(ROUTES),
    st.sampled_from((200, 200, 200, 201, 500)),
    st.booleans(),
)
Sent = tuple[Any, Any, str, int, bool]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("reference") / "m.json"
    rng = random.Random(1)
    rows = range(300)
    columns = {
        "age": [rng.gauss(40, 9) for _ in rows],
        "city": [rng.choice(["Oslo", "Rome"]) for _ in rows],
        "fee": [rng.random() for _ in rows],
        "prediction": [rng.choice([0, 1]) for _ in rows],
        "truth": [rng.choice([0, 1]) for _ in rows],
    }
    Reference.build(columns, predictions="prediction", ground_truth="truth").save(path)
    return str(path)


def exchanges_of(sent: Sequence[Sent]) -> Iterator[Exchange]:
    for i, (asked, told, route, status, has_id) in enumerate(sent):
        bodies = (
            each if type(each) is bytes else json.dumps(each).encode() for each in (asked, told)
        )
        made = exchange(*bodies, path=route, status=status)
        # A pane ends now and then.
        yield made._replace(prediction_id=str(i) if has_id else "", arrived=NOW - 1000 + 40 * i)


def _bytes(body: Any) -> bytes:
    return body if type(body) is bytes else json.dumps(body).encode()


def state_of(monitor: Monitor, exchanges: Sequence[Exchange], together: int) -> list[Any]:
    """Take exchanges in, up to so many at a time, 0: by themselves; return all that can be seen."""
    left, pace = [*exchanges], Pace(lambda: 0.0)
    while left and together:
        taken = monitor._consumer(waiting(left[:together]), pace)
        assert [*taken] == sorted({0, *taken})
        left = [each for i, each in enumerate(left) if i not in taken]
    for alone in left:
        monitor._consumer.take(alone, pace)
    now = NOW + 40 * len(exchanges)
    seen: list[Any] = [*monitor.readings(now)]
    ids = range(len(exchanges))
    seen += [monitor.observe_ground_truth(str(i), i % 2, now=now) for i in ids]
    seen += monitor.readings(now)
    return [repr(each) for each in seen if not OURS_ALONE.search(repr(each))]


def assert_law(
    sent: Sequence[Exchange], sizes: Sequence[int] = (0, 1, 5, 64), **options: Any
) -> None:
    states = []
    for together in sizes:
        with Monitor(**options) as monitor:
            states.append(state_of(monitor, sent, together))
    assert all(state == states[0] for state in states)


@settings(max_examples=30)
@given(st.lists(ANY_EXCHANGE, max_size=40))
@example([(REQUESTS[0], ANSWERS[0], "/predict", 200, True)] * 70)
@example(
    [(REQUESTS[7], ANSWERS[5], "/predict", 200, True)] * 20 + [(b"", b"", "/predict", 200, True)]
)
def test_exchanges_together_count_as_one_by_one(reference: str, sent: list[Sent]) -> None:
    assert_law([*exchanges_of(sent)], model="m", reference=reference)


@settings(max_examples=20)
@given(st.lists(ANY_EXCHANGE, max_size=40))
def test_so_they_do_among_models(reference: str, sent: list[Sent]) -> None:
    routes = {"n": ROUTES[:1], "m": ROUTES[1:]}
    models = [{"name": n, "reference": reference, "routes": own} for n, own in routes.items()]
    exchanges = [
        each._replace(model="n" if each.route in routes["n"] else "m")
        for each in exchanges_of(sent)
    ]
    assert_law(exchanges, (0, 64), models=models)


@settings(max_examples=20)
@given(st.lists(ANY_EXCHANGE, max_size=20))
def test_so_they_do_while_a_reference_is_learned(sent: list[Sent]) -> None:
    assert_law([*exchanges_of(sent)], model="m", learn_rows=10)


def test_real_bodies_of_all_formats_count_as_one_by_one(reference: str) -> None:
    sent = [body.exchange for body in read_all() for _ in range(3)]
    assert_law([e._replace(arrived=NOW) for e in sent], model="m", reference=reference)


def test_what_is_alike_is_read_together(reference: str) -> None:
    with Monitor(model="m", reference=reference) as monitor:
        sent = [*exchanges_of([(REQUESTS[0], ANSWERS[0], "/predict", 200, True)] * 50)]
        assert [*monitor._consumer(waiting(sent), Pace())] == [0]  # it tells the form
        assert [*monitor._consumer(waiting(sent[1:]), Pace())] == [*range(49)]


def test_what_is_alike_on_a_route_is_read_together_whatever_comes_in_between(
    reference: str,
) -> None:
    one, other = ((REQUESTS[0], ANSWERS[0], route, 200, True) for route in ("/a", "/b"))
    with Monitor(model="m", reference=reference) as monitor:
        sent = [*exchanges_of([one, other] * 20)]
        for each in sent[:2]:
            monitor._consumer.take(each, Pace())
        assert [*monitor._consumer(waiting(sent[2:]), Pace())] == [*range(0, 38, 2)]


def test_of_two_predictions_with_one_id_the_first_is_kept(reference: str) -> None:
    one, other = ((REQUESTS[0], ANSWERS[i], f"/{i}", 200, True) for i in (0, 1))
    sent = [*exchanges_of([one, other] * 8)]
    sent = [each._replace(prediction_id=str(i // 3)) for i, each in enumerate(sent)]
    assert_law(sent, model="m", reference=reference)
