from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence

import pytest

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.intake import queue
from mlmon_exporter.intake.queue import Intake, rest_ratio
from mlmon_exporter.intake.waiting import Waiting
from mlmon_exporter.runtime.pace import Pace
from tests.e2e.servers import wait_until


def exchange(body: bytes = b"{}", route: str = "/predict") -> Exchange:
    return Exchange(0.0, "m", route, route, 200, "id", {}, [body], {}, [b"1"])


def submit(intake: Intake, exchange: Exchange) -> None:
    intake.submit(*exchange.waiting)


def dropped(health: Health) -> int:
    return health.counters["mlmon_dropped_total"].cells["queue_full",]


def new_intake(
    consume: Callable[[Exchange, Pace], object],
    health: Health | None = None,
    *,
    exchanges: int = 1000,
    size: int = 10**6,
) -> Intake:
    def first(waiting: Waiting, pace: Pace) -> Sequence[int]:
        consume(waiting.exchange(), pace)
        return (0,)

    return Intake(first, health or Health(), max_exchanges=exchanges, max_bytes=size)


def test_as_many_leave_the_queue_as_were_taken_in() -> None:
    seen: list[str] = []

    def take(waiting: Waiting, pace: Pace) -> Sequence[int]:
        if waiting.exchange().route == "/0":
            assert go_on.wait(120.0)
        taken = waiting.fields[: 1 + len(seen) % 3]
        seen.extend(fields[2] for fields in taken)
        return range(len(taken))

    go_on = threading.Event()
    intake = Intake(take, Health(), max_exchanges=1000, max_bytes=10**6)
    for i in range(200):
        submit(intake, exchange(route=f"/{i}"))
    go_on.set()
    assert intake.flush(60.0)
    assert seen == [f"/{i}" for i in range(200)]
    assert intake.waiting == 0
    intake.close()


def test_what_is_submitted_is_taken_in_once_and_in_order() -> None:
    seen: list[str] = []
    intake = new_intake(lambda e, pace: seen.append(e.route))
    for i in range(500):
        submit(intake, exchange(route=f"/{i}"))
    assert intake.flush(60.0)
    assert seen == [f"/{i}" for i in range(500)]
    intake.close()


def test_no_thread_runs_before_the_first_exchange_or_after_close() -> None:
    def threads() -> int:
        return sum(thread.name == "mlmon-intake" for thread in threading.enumerate())

    before = threads()
    intake = new_intake(lambda e, pace: None)
    assert threads() == before
    submit(intake, exchange())
    assert threads() == before + 1
    intake.close()
    assert threads() == before


def test_an_exchange_after_close_starts_the_thread_again() -> None:
    seen: list[Exchange] = []
    intake = new_intake(lambda e, pace: seen.append(e))
    for count in (1, 2, 3):
        submit(intake, exchange())
        intake.close()
        assert len(seen) == count


class Gate:
    """Holds the intake's thread until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.seen = 0

    def __call__(self, _: Exchange, pace: Pace) -> None:
        self.entered.set()
        assert self.open.wait(60)
        self.seen += 1


def test_the_garbage_collector_keeps_nothing_in_view_of_what_waits() -> None:
    """Else so much comes of age that it looks through all that the app has in memory."""
    gate = Gate()
    intake = new_intake(gate)
    submit(intake, exchange())
    assert gate.entered.wait(60.0)
    gc.collect()
    before = len(gc.get_objects())
    for i in range(500):
        # Objects of its own, as a server makes them for each request.
        body, headers, answer = b"%d" % i, [(b"host", b"%d" % i)], [(b"age", b"%d" % i)]
        fields = (0.0, "m", "/p", "/p", 200, "id", (body,), (body,))
        intake.submit(fields, tuple(headers), tuple(answer), 2 * len(body))
    for generation in (0, 1):  # what is left now would be of age
        gc.collect(generation)
    more = len(gc.get_objects()) - before
    gate.open.set()
    assert intake.flush(60.0)
    assert gate.seen == 501
    intake.close()
    assert more < 50


def test_a_full_queue_drops_and_counts_and_submit_does_not_wait() -> None:
    gate, health = Gate(), Health()
    intake = new_intake(gate, health, exchanges=10)
    for i in range(50):
        submit(intake, numbered(i))
    assert intake.waiting == 10
    gate.open.set()
    assert intake.flush(60.0)
    assert gate.seen + dropped(health) == 50
    assert 1 <= gate.seen < 10
    intake.close()


def test_bytes_are_bounded_too_and_given_back_when_taken_in() -> None:
    gate, health = Gate(), Health()
    intake = new_intake(gate, health, size=1000)
    for _ in range(10):
        submit(intake, exchange(b"x" * 299))  # with the response's byte, 300
    assert dropped(health) == 7
    gate.open.set()
    assert intake.flush(60.0)
    wait_until(lambda: intake.share == 1.0)
    before = dropped(health)
    assert gate.seen + before == 10
    for _ in range(3):
        submit(intake, exchange(b"x" * 299))
    assert intake.flush(60.0)
    assert dropped(health) == before
    intake.close()


def test_no_thread_loses_the_bytes_of_another() -> None:
    intake = new_intake(lambda e, pace: None, exchanges=10**6, size=10**9)

    def many() -> None:
        for _ in range(2000):
            submit(intake, exchange())

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=many) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert intake.flush(60.0)
    assert (intake.waiting, intake._waiting_bytes) == (0, 0)
    intake.close()


def test_an_exchange_that_cannot_be_taken_in_is_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health, seen = Health(), []

    def consume(e: Exchange, pace: Pace) -> None:
        if e.route == "/bad":
            raise RuntimeError("planted")
        seen.append(e)

    intake = new_intake(consume, health)
    for route in ("/bad", "/good", "/bad", "/good"):
        submit(intake, exchange(route=route))
    assert intake.flush(60.0)
    assert len(seen) == 2
    assert health.counters["mlmon_internal_errors_total"].cells["intake",] == 2
    assert caplog.text.count("RuntimeError: planted") == 1
    intake.close()


def test_flush_says_when_there_was_not_enough_time() -> None:
    gate = Gate()
    intake = new_intake(gate)
    submit(intake, exchange())
    assert gate.entered.wait(60)
    assert not intake.flush(0.01)
    gate.open.set()
    assert intake.flush(60.0)
    intake.close()


def test_a_flush_that_gives_up_leaves_another_waiting() -> None:
    gate = Gate()
    intake = new_intake(gate)
    submit(intake, exchange())
    assert gate.entered.wait(60)
    done: list[bool] = []
    patient = threading.Thread(target=lambda: done.append(intake.flush(60.0)))
    patient.start()
    while not intake._awaited:
        pass
    assert not intake.flush(0.01)
    gate.open.set()
    patient.join(60)
    assert done == [True]
    intake.close()


def test_flush_without_any_exchange_returns_at_once() -> None:
    assert new_intake(lambda e, pace: None).flush(0.0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_with_an_empty_queue_and_a_thread_of_its_own() -> None:
    seen: list[str] = []
    intake = new_intake(lambda e, pace: seen.append(e.route))
    submit(intake, exchange(route="/parent"))
    assert intake.flush(60.0)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        submit(intake, exchange(route="/child"))
        is_done = intake.flush(60.0)
        os.write(write, f"{is_done} {','.join(seen)}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 1000).decode() == "True /parent,/child"
    assert seen == ["/parent"]
    os.close(read)
    os.close(write)
    intake.close()


@pytest.mark.parametrize(
    ("busy", "share"),
    [(0.0, 0.25), (0.7, 0.25), (0.85, 0.1), (0.95, 0.03), (0.99, 0.03), (4, 0.25)],
)
def test_bodies_are_read_in_what_requests_leave_of_a_core(busy: float, share: float) -> None:
    assert 1 / (1 + rest_ratio(busy)) == pytest.approx(share)


def test_a_monitor_nobody_holds_goes_away_with_its_intake() -> None:
    import gc
    import weakref

    intake = new_intake(lambda e, pace: None)
    gone = weakref.ref(intake)
    submit(intake, exchange())
    intake.close()
    del intake
    gc.collect()
    assert gone() is None


def test_who_waits_for_the_queue_and_a_queue_that_fills_end_the_wait_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "LINGER_SECONDS", 3600.0)
    seen, is_filled = [], threading.Event()

    def take(e: Exchange, pace: Pace) -> None:
        seen.append(e)
        if len(seen) > 26:
            is_filled.set()

    intake = new_intake(take, exchanges=100)
    submit(intake, exchange())
    assert intake.flush(60.0)
    assert len(seen) == 1
    for _ in range(26):  # more than a quarter
        submit(intake, exchange())
    assert is_filled.wait(120.0)
    intake.close()
    assert dropped(intake._health) == 0


def numbered(i: int) -> Exchange:
    return exchange()._replace(prediction_id=str(i))


def test_a_queue_that_is_full_reads_a_share_of_old_and_new_alike() -> None:
    gate, health, read = Gate(), Health(), []

    def take(e: Exchange, pace: Pace) -> None:
        gate(e, pace)
        read.append(int(e.prediction_id))

    intake = new_intake(take, health, exchanges=400)
    for i in range(600):
        submit(intake, numbered(i))
    assert intake.share == 0.5  # lowered once, since all that wait are from before
    gate.open.set()
    assert intake.flush(60.0)
    assert len(read) + dropped(health) == 600
    assert len(read) == pytest.approx(200, abs=60)
    assert {i // 100 for i in read} == {0, 1, 2, 3}
    intake.close()


def test_the_share_is_whole_again_once_the_queue_was_empty() -> None:
    gate, health = Gate(), Health()
    intake = new_intake(gate, health, exchanges=4)
    for i in range(20):
        submit(intake, numbered(i))
    assert intake.share < 1.0
    gate.open.set()
    assert intake.flush(60.0)
    wait_until(lambda: intake.share == 1.0)
    before = gate.seen
    submit(intake, numbered(0))
    assert intake.flush(60.0)
    assert gate.seen == before + 1
    intake.close()


def test_a_share_by_choice_drops_nothing() -> None:
    health, seen = Health(), []

    def take(group: Waiting, pace: Pace) -> Sequence[int]:
        seen.append(group.fields[0])
        return (0,)

    intake = Intake(take, health, sample_ratio=0.5, max_exchanges=1000, max_bytes=10**6)
    for i in range(200):
        submit(intake, numbered(i))
    assert intake.flush(60.0)
    assert len(seen) == pytest.approx(100, abs=40)
    assert (dropped(health), intake.share) == (0, 0.5)
    intake.close()
