"""Plain requests wait until many are worked out at once, and none is lost or counted twice."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import warnings
from typing import Any

import pytest

from mlmon_exporter import Monitor, MonitorMiddleware
from mlmon_exporter.core.counts.requests import MOST_WAITING
from mlmon_exporter.sources.asgi.passed import LARGE_BYTES, MOST, PLACES
from tests.asgi import post_all
from tests.e2e.servers import PATIENCE

from .seen import (
    BODY,
    PART,
    START,
    BoomError,
    Seen,
    predictor,
    requests_of,
    scope_of,
    sends,
    serve,
    visit,
    watched,
)

OK = ("/predict", "POST", "200", "ok")


def waiting(sink: Seen) -> int:
    return len(sink.passed.places) // PLACES


def test_a_plain_request_waits_until_the_counts_are_read() -> None:
    app, sink = watched(predictor())
    for _ in range(3):
        serve(app)
    assert waiting(sink) == 3
    assert sink.counted() == {OK: 3}
    assert (waiting(sink), len(sink.exchanges)) == (0, 3)


def test_while_the_intake_sleeps_a_request_is_worked_out_at_its_end() -> None:
    app, sink = watched(predictor())
    sink.passed.is_asleep = True
    serve(app)
    assert (waiting(sink), len(sink._exchanges)) == (0, 1)


def test_no_more_than_a_bound_wait() -> None:
    app, sink = watched(sends(START, BODY))

    async def many() -> None:
        for _ in range(MOST // PLACES + 1):
            await visit(app, scope_of(), requests_of(b"{}"))

    asyncio.run(many())
    assert (waiting(sink), len(sink._exchanges)) == (1, MOST // PLACES)


def test_requests_go_on_when_nobody_counts_them() -> None:
    """The request that counts those that wait had them wait for itself."""
    app, sink = watched(sends(START, BODY))
    requests = MOST_WAITING + 2 * MOST // PLACES

    async def many() -> None:
        for _ in range(requests):
            await visit(app, scope_of(), requests_of(b"{}"))

    thread = threading.Thread(target=asyncio.run, args=(many(),), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert sink.counted() == {OK: requests}


@pytest.mark.parametrize("side", [0, 1])
def test_a_large_body_does_not_wait(side: int) -> None:
    asked, told = (b"x" * (1 + LARGE_BYTES * (side == i)) for i in (0, 1))
    app, sink = watched(sends(START, {**BODY, "body": told}), max_body_bytes=2 * LARGE_BYTES)
    asyncio.run(visit(app, scope_of(), requests_of(asked)))
    assert (waiting(sink), len(sink._exchanges)) == (0, 1)


def test_requests_keep_their_order_whichever_way_they_are_counted() -> None:
    plain, sink = watched(sends(START, BODY))
    in_parts = type(plain)(sends(START, PART, BODY), sink)
    ids = [b"%d" % i for i in range(6)]
    for i, app in zip(ids, [plain, plain, in_parts, plain, in_parts, plain], strict=True):
        serve(app, headers=[(b"x-prediction-id", i)])
    assert [exchange.prediction_id.encode() for exchange in sink.exchanges] == ids


def test_exchanges_that_cannot_be_handed_over_are_counted_as_requests_and_as_a_fault() -> None:
    def boom(*_: Any) -> None:
        raise BoomError

    app, sink = watched(predictor(), submit=boom)
    serve(app)
    assert (sink.faults(), sink.counted()) == (1, {OK: 1})


def test_what_waits_keeps_the_garbage_collector_from_nothing_else() -> None:
    app, sink = watched(sends(START, BODY))

    async def many() -> None:
        for i in range(500):
            await visit(app, scope_of(headers=[(b"host", b"%d" % i)]), requests_of(b"%d" % i))

    gc.collect()
    before = len(gc.get_objects())
    asyncio.run(many())
    for generation in (0, 1):
        gc.collect(generation)
    assert waiting(sink) == 500
    assert len(gc.get_objects()) - before < 100


def test_threads_that_end_requests_and_read_counts_lose_none() -> None:
    app, sink = watched(sends(START, BODY))

    async def many() -> None:
        for _ in range(300):
            await visit(app, scope_of(), requests_of(b"{}"))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            sink.counted()
    finally:
        sys.setswitchinterval(interval)
    assert sink.counted() == {OK: 1200}
    assert len(sink.exchanges) == 1200


def test_a_forked_child_leaves_what_waits_to_its_parent() -> None:
    app, sink = watched(predictor())
    serve(app)
    with warnings.catch_warnings():
        # Later Pythons warn of forks while there are threads; the child here only ends.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(waiting(sink))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sink.counted() == {OK: 1}


def test_all_requests_are_counted_at_once_even_if_their_exchanges_are_too_many() -> None:
    with Monitor(model="m", queue_exchanges=5) as monitor:
        with monitor._intake._busy:  # nothing is taken in
            app = MonitorMiddleware(predictor(), monitor=monitor)
            post_all(app, "/predict", [b'{"a": 1}'] * 50)
            found = {(r.name, *r.labels.values()): r.value for r in monitor.readings()}
        assert found["mlmon_requests_total", "m", "", "/predict", "POST", "200", "ok"] == 50
        assert found["mlmon_dropped_total", "queue_full"] >= 40
