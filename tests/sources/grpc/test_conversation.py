"""Answers in a stream belong to the requests that they are of, in whichever order they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter

import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.formats.grpc_messages import framed
from mlmon_exporter.sources.grpc import conversation
from mlmon_exporter.sources.grpc.conversation import MAX_WAITING, STREAMED, Conversation, Part
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.turn import Turn
from tests.formats import oip_messages as oip


class Ended(Recorder):
    """Keeps the turns that have ended, as request and answer."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(monitor._sink)
        self.monitor = monitor
        self.pairs: list[tuple[bytes, bytes, int]] = []
        self.times: list[float] = []

    def end(self, turn: Turn, unanswered: int = 0) -> None:
        asked, told = turn.request_chunks or [], turn.response_chunks or []
        told = turn.stream.parts() or [] if turn.stream is not None else told
        self.times.append((turn.ended or perf_counter()) - turn.began)
        self.pairs.append((b"".join(asked), b"".join(told), turn.status))
        super().end(turn, unanswered)


@pytest.fixture
def recorder() -> Iterator[Ended]:
    with Monitor(model="m") as monitor:
        yield Ended(monitor)


@pytest.fixture
def talk(recorder: Ended) -> Conversation:
    return Conversation(recorder._sink, recorder, STREAMED, ())


def request(number: int, id: str = "") -> bytes:  # noqa: A002 - the protocol's word
    return oip.request([oip.tensor("x", "INT64", [1], [number])], id=id)


def answer(number: int, id: str = "") -> bytes:  # noqa: A002 - the protocol's word
    return oip.response([oip.tensor("y", "INT64", [1], [number])], id=id)


def part(message: bytes) -> Part:
    return Part(message, len(message))


def test_tritons_answers_belong_to_their_ids_and_a_first_that_does_not_say_is_the_last(
    talk: Conversation, recorder: Ended
) -> None:
    for i in range(3):
        talk.asked(part(request(i, f"id{i}")))
    for i in (2, 0, 0, 2, 1):
        talk.answered(part(oip.streamed(answer(i, f"id{i}"))))
    expected = [(request(i, f"id{i}"), oip.streamed(answer(i, f"id{i}")), 200) for i in (2, 0, 1)]
    assert recorder.pairs == expected


def test_answers_without_ids_come_in_order(talk: Conversation, recorder: Ended) -> None:
    for i in range(3):
        talk.asked(part(request(i)))
    for i in range(3):
        talk.answered(part(oip.streamed(answer(i))))
    assert recorder.pairs == [(request(i), oip.streamed(answer(i)), 200) for i in range(3)]


def test_mlservers_answers_all_have_the_first_requests_id(
    talk: Conversation, recorder: Ended
) -> None:
    for i in range(3):
        talk.asked(part(request(i, f"id{i}")))
        talk.answered(part(answer(i, "id0")))
    assert recorder.pairs == [(request(i, f"id{i}"), answer(i, "id0"), 200) for i in range(3)]


def test_what_triton_refuses_in_a_stream_is_an_error_and_the_stream_goes_on(
    talk: Conversation, recorder: Ended
) -> None:
    for i in range(2):
        talk.asked(part(request(i, f"id{i}")))
    talk.answered(part(oip.streamed(oip.response([], model="", id="id0"), "no such model")))
    talk.answered(part(oip.streamed(answer(1, "id1"))))
    assert [status for _, _, status in recorder.pairs] == [500, 200]


def several(number: int, count: int, *, is_told: bool = True) -> list[bytes]:
    """All answers of a decoupled model to a request; without `is_told` none is called the last."""
    tensors = [oip.tensor("y", "BYTES", [1], [b"a"])]
    return [
        oip.streamed(oip.response(tensors, id=f"id{number}", is_last=is_told and i == count - 1))
        for i in range(count)
    ]


def body(answers: list[bytes]) -> bytes:
    return b"".join(framed(each, b"") for each in answers)


def test_all_answers_of_a_decoupled_model_belong_to_their_request(
    talk: Conversation, recorder: Ended
) -> None:
    for i in range(3):
        talk.asked(part(request(i, f"id{i}")))
    for answers in zip(*(several(i, 4) for i in (2, 0, 1)), strict=True):
        assert recorder.pairs == []
        for each in answers:
            talk.answered(part(each))
    assert recorder.pairs == [(request(i, f"id{i}"), body(several(i, 4)), 200) for i in (2, 0, 1)]
    assert counts(recorder) == {"mlmon_requests_total": 3, "mlmon_prediction_rows_total": 3,
                                "mlmon_request_first_token_seconds_count": 3,
                                "mlmon_output_token_seconds_count": 9}  # fmt: skip


def counts(recorder: Ended) -> dict[str, float]:
    names = ("requests_total", "prediction_rows_total", "parse_errors_total", "dropped_total",
             "request_first_token_seconds_count", "output_token_seconds_count")  # fmt: skip
    recorder.monitor.flush()
    readings = [*recorder.monitor.readings()]
    found = {f"mlmon_{n}": sum(r.value for r in readings if r.name == f"mlmon_{n}") for n in names}
    return {name: value for name, value in found.items() if value}


ASKED_NEXT: Mapping[str, Sequence[int]] = {
    "its id again": [0], "quiet": [1], "one too many": range(1, MAX_WAITING + 1), "the end": [],
}  # fmt: skip


@pytest.mark.parametrize("end", ASKED_NEXT)
def test_a_request_whose_last_answer_is_not_told_ends_as_of_its_last(
    end: str, talk: Conversation, recorder: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = perf_counter()
    talk.asked(part(request(0, "id0")))
    for each in several(0, 3, is_told=False):
        talk.answered(part(each))
    taken = perf_counter() - began
    assert recorder.pairs == []
    if end == "quiet":
        monkeypatch.setattr(conversation, "QUIET_SECONDS", 0.0)
    for i in ASKED_NEXT[end]:
        talk.asked(part(request(i, f"id{i}")))
    if end == "the end":
        talk.ended(0)
    expected = body(several(0, 3, is_told=False))
    assert recorder.pairs == [(request(0, "id0"), expected, 200)]
    assert recorder.times[0] <= taken


def test_a_model_may_say_that_it_has_said_all(talk: Conversation, recorder: Ended) -> None:
    last = oip.streamed(oip.response([], id="id0", is_last=True))
    for answers in (several(0, 2, is_told=False), []):
        talk.asked(part(request(0, "id0")))
        for each in (*answers, last):
            talk.answered(part(each))
    assert recorder.pairs == [
        (request(0, "id0"), body(several(0, 2, is_told=False)), 200), (request(0, "id0"), last, 200)
    ]  # fmt: skip


def test_an_answer_too_long_to_be_kept_is_counted_and_the_others_are_let_go() -> None:
    with Monitor(model="m", max_body_bytes=500) as monitor:
        recorder = Ended(monitor)
        talk = Conversation(recorder._sink, recorder, STREAMED, ())
        talk.asked(part(request(0, "id0")))
        first, last = several(0, 2)
        talk.answered(part(first))
        talk.answered(Part(first, 10_000))
        talk.answered(part(last))
        assert counts(recorder)["mlmon_requests_total"] == 1
        assert counts(recorder)["mlmon_parse_errors_total"] == 1


def test_requests_that_nobody_answers_are_given_up(talk: Conversation, recorder: Ended) -> None:
    for i in range(MAX_WAITING + 5):
        talk.asked(part(request(i)))
    assert [asked for asked, _, _ in recorder.pairs] == [request(i) for i in range(5)]
    talk.ended(0)
    assert len(recorder.pairs) == MAX_WAITING + 5
    assert recorder._sink.in_flight == {}
