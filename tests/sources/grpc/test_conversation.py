"""Answers in a stream belong to the requests that they are of, in whichever order they come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.sources.grpc.conversation import MAX_WAITING, STREAMED, Conversation, Part
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.turn import Turn
from tests.formats import oip_messages as oip


class Ended(Recorder):
    """Keeps the turns that have ended, as request and answer."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(monitor._sink)
        self.pairs: list[tuple[bytes, bytes, int]] = []

    def end(self, turn: Turn, unanswered: int = 0) -> None:
        asked, told = turn.request_chunks or [], turn.response_chunks or []
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


def test_tritons_answers_belong_to_their_ids_and_the_first_of_several_is_read(
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


def test_requests_that_nobody_answers_are_given_up(talk: Conversation, recorder: Ended) -> None:
    for i in range(MAX_WAITING + 5):
        talk.asked(part(request(i)))
    assert [asked for asked, _, _ in recorder.pairs] == [request(i) for i in range(5)]
    talk.ended(0)
    assert len(recorder.pairs) == MAX_WAITING + 5
    assert recorder._sink.in_flight == {}
