"""What is heard of HTTP/2 is what a client and a server of h2 said, however it was cut."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.core.records import Reading
from mlmon_exporter.sources.grpc.conversation import SERVICE, STREAMED
from mlmon_exporter.sources.proxy.frames import MAX_HEAD, PREFACE
from mlmon_exporter.sources.proxy.http2 import MAX_STREAMS
from mlmon_exporter.sources.proxy.listening import listening
from mlmon_exporter.sources.proxy.relay import Ear
from mlmon_exporter.sources.proxy.turns import UnheardError
from tests.formats import oip_messages as oip

UNARY = f"{SERVICE}/ModelInfer"
GRPC = [("content-type", "application/grpc")]
REQUEST = oip.request([oip.tensor("x", "FP64", [2], [1, 2])])
ANSWER = oip.response([oip.tensor("y", "FP64", [2], [3, 4])])


def framed(message: bytes, *, is_compressed: bool = False) -> bytes:
    return bytes([is_compressed]) + len(message).to_bytes(4) + message


class Pair:
    """A client and a server that talk, and an ear between them."""

    def __init__(self, ear: Ear, cut: Callable[[bytes], list[bytes]] = lambda data: [data]) -> None:
        configured = h2.config.H2Configuration
        self.client = h2.connection.H2Connection(configured(header_encoding="utf-8"))
        self.server = h2.connection.H2Connection(
            configured(client_side=False, header_encoding="utf-8")
        )
        self.client.initiate_connection()
        self.server.initiate_connection()
        self._ear, self._cut = ear, cut
        self.talk()

    def talk(self) -> None:
        """Carry over what both have to say, until neither has."""
        sides = (
            (self.server, self.client, self._ear.answered),
            (self.client, self.server, self._ear.asked),
        )
        while any(self._carry(*side) for side in sides):
            pass

    def _carry(self, source: Any, target: Any, hear: Callable[[bytes], None]) -> bool:
        data = source.data_to_send()
        for part in self._cut(data):
            hear(part)
        if data:
            for event in target.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    target.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        return bool(data)

    def ask(
        self, path: str, body: bytes = b"", headers: list[tuple[str, str]] = GRPC, end: bool = True
    ) -> int:
        stream: int = self.client.get_next_available_stream_id()
        pseudo = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "m")]
        self.client.send_headers(stream, [*pseudo, *headers])
        self.say(self.client, stream, body, end)
        return stream

    def say(self, side: Any, stream: int, body: bytes, end: bool = False) -> None:
        """Send data as fast as the other side allows."""
        while body:
            room = side.local_flow_control_window(stream)
            size = min(room, side.max_outbound_frame_size, len(body))
            side.send_data(stream, body[:size], pad_length=3 if size < 1000 else None)
            body = body[size:]
            self.talk()
        if end:
            side.end_stream(stream)
        self.talk()

    def reply(
        self, stream: int, body: bytes = b"", code: int | None = 0, status: str = "200",
        headers: list[tuple[str, str]] = GRPC,
    ) -> None:  # fmt: skip
        self.server.send_headers(stream, [(":status", status), *headers])
        self.say(self.server, stream, body, end=code is None)
        if code is not None:
            self.server.send_headers(stream, [("grpc-status", str(code))], end_stream=True)
        self.talk()


def heard(monitor: Monitor) -> dict[tuple[str, str, str], float]:
    """Counts of requests by route, status and outcome."""
    names = ("route", "status", "outcome")
    return {
        tuple(one.labels[name] for name in names): one.value  # type: ignore[misc]
        for one in readings(monitor)
        if one.name == "mlmon_requests_total" and one.value
    }


def readings(monitor: Monitor) -> list[Reading]:
    monitor.flush()
    return monitor.readings()


def rows(monitor: Monitor) -> float:
    return sum(r.value for r in readings(monitor) if r.name == "mlmon_prediction_rows_total")


@pytest.fixture
def monitor() -> Any:
    with Monitor(model="m") as made:
        yield made


@pytest.fixture
def pair(monitor: Monitor) -> Pair:
    return Pair(monitor.attach(listening)())


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_any_cut_gives_the_same_counts(seed: int, longest: int) -> None:
    rng = random.Random(seed)

    def cut(data: bytes) -> list[bytes]:
        at = sorted(rng.randrange(len(data) + 1) for _ in range(len(data) // longest))
        return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]

    with Monitor(model="m") as monitor:
        pair = Pair(monitor.attach(listening)(), cut)
        streams = [pair.ask(UNARY, framed(REQUEST)) for _ in range(3)]
        for stream in streams:
            pair.reply(stream, framed(ANSWER))
        pair.reply(pair.ask(STREAMED, framed(REQUEST) * 3), framed(ANSWER) * 3)
        json = [("content-type", "application/json")]
        pair.reply(pair.ask("/predict", b'{"a": 1}', json), b'{"y": 1}', None, headers=json)
        pair.reply(pair.ask(f"{SERVICE}/ServerLive", framed(b"")), framed(b""))
        assert heard(monitor) == {
            (UNARY, "200", "ok"): 3, (STREAMED, "200", "ok"): 3, ("/predict", "200", "ok"): 1,
            ("other", "200", "ok"): 1,
        }  # fmt: skip
        assert rows(monitor) == 3 * 2 + 3 * 2  # without those of a second route
        assert monitor._in_flight == {}


def test_status_codes_are_those_of_http(monitor: Monitor, pair: Pair) -> None:
    for code in (0, 3, 4, 5, 13, 14, 16):
        pair.reply(pair.ask(UNARY, framed(REQUEST)), framed(ANSWER) if code == 0 else b"", code)
    only_trailers = pair.ask(UNARY, framed(REQUEST))
    pair.server.send_headers(
        only_trailers, [(":status", "200"), ("grpc-status", "8")], end_stream=True
    )
    pair.talk()
    assert {status: outcome for (_, status, outcome) in heard(monitor)} == {
        "200": "ok", "400": "client_error", "404": "client_error", "401": "client_error",
        "429": "client_error", "500": "server_error", "503": "server_error", "504": "server_error",
    }  # fmt: skip


def test_a_stream_that_the_client_resets_has_lost_it(monitor: Monitor, pair: Pair) -> None:
    pair.client.reset_stream(pair.ask(UNARY, framed(REQUEST)), 8)
    late = pair.ask(UNARY, framed(REQUEST), [*GRPC, ("grpc-timeout", "1m")])
    pair.client.reset_stream(late, 8)
    begun = pair.ask("/predict", b"{}", [])
    pair.server.send_headers(begun, [(":status", "200")])
    pair.talk()
    pair.client.reset_stream(begun, 8)
    pair.talk()
    assert heard(monitor) == {
        (UNARY, "499", "disconnected"): 1,
        (UNARY, "504", "server_error"): 1,
        ("/predict", "200", "disconnected"): 1,
    }


def test_a_server_that_resets_or_is_gone_has_failed(monitor: Monitor) -> None:
    ear = monitor.attach(listening)()
    pair = Pair(ear)
    pair.server.reset_stream(pair.ask(UNARY, framed(REQUEST)), 2)
    pair.talk()
    pair.ask(UNARY, framed(REQUEST))
    pair.ask("/predict", b"{}", [])
    ear.ended(by_client=False)
    ear.closed(by_client=False)
    assert heard(monitor) == {
        (UNARY, "500", "server_error"): 1,
        (UNARY, "503", "server_error"): 1,
        ("/predict", "502", "server_error"): 1,
    }


def test_rpcs_in_progress_are_those_of_their_model() -> None:
    with Monitor(models=[{"name": "m"}, {"name": "n"}]) as monitor:
        pair = Pair(monitor.attach(listening)())
        pair.ask(UNARY, framed(REQUEST))
        pair.ask(f"{SERVICE}/ServerLive", framed(b""))
        in_progress = {
            (reading.labels["model"], reading.labels["route"]): reading.value
            for reading in monitor.readings()
            if reading.name == "mlmon_requests_in_progress" and reading.value
        }
        assert in_progress == {("m", UNARY): 1, ("", "other"): 1}


def test_the_model_of_a_message_that_is_too_long_to_be_kept_is_known() -> None:
    long = oip.request([oip.tensor("x", "BYTES", [1], [bytes(20_000)])], model="n")
    with Monitor(models=[{"name": "m"}, {"name": "n"}], max_body_bytes=10_000) as monitor:
        pair = Pair(monitor.attach(listening)(), lambda data: [data[:5000], data[5000:]])
        pair.reply(pair.ask(UNARY, framed(long)), framed(ANSWER))
        monitor.flush()
        counted = [r.labels["model"] for r in monitor.readings()
                   if r.name == "mlmon_requests_total" and r.value]  # fmt: skip
        dropped = [r.labels["reason"] for r in monitor.readings()
                   if r.name == "mlmon_dropped_total" and r.value]  # fmt: skip
        assert (counted, dropped) == (["n"], ["body_too_large"])


def test_streams_after_the_last_of_a_goaway_are_forgotten(monitor: Monitor, pair: Pair) -> None:
    first = pair.ask(UNARY, framed(REQUEST))
    pair.ask(UNARY, framed(REQUEST))
    pair.server.close_connection(last_stream_id=first)
    data = pair.server.data_to_send()
    pair._ear.answered(data)
    assert heard(monitor) == {}
    assert len(monitor._in_flight) == 1


def test_compressed_messages_are_read(monitor: Monitor, pair: Pair) -> None:
    packed = framed(gzip.compress(REQUEST), is_compressed=True)
    headers = [*GRPC, ("grpc-encoding", "gzip")]
    stream = pair.ask(UNARY, packed, headers)
    pair.reply(stream, framed(gzip.compress(ANSWER), is_compressed=True), headers=headers)
    assert rows(monitor) == 2
    stream = pair.ask(UNARY, framed(REQUEST), headers)  # a single message may stay as it is
    pair.reply(stream, framed(ANSWER), headers=headers)
    assert rows(monitor) == 4


def test_long_messages_are_counted_and_not_kept() -> None:
    with Monitor(model="m", max_body_bytes=1000) as monitor:
        pair = Pair(monitor.attach(listening)())
        long = oip.request([oip.tensor("x", "FP64", [50_000])], [bytes(400_000)])
        pair.reply(pair.ask(UNARY, framed(long)), framed(ANSWER))
        pair.reply(pair.ask(UNARY, framed(REQUEST)), framed(ANSWER))
        assert heard(monitor) == {(UNARY, "200", "ok"): 2}
        assert rows(monitor) == 2
        dropped = {r.labels["reason"]: r.value for r in readings(monitor) if "dropped" in r.name}
        assert dropped["body_too_large"] == 1


def test_models_and_versions_are_told_by_the_message(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    Reference.build({"x": [1.0, 2.0], "y": [1.0, 2.0]}, predictions="y").save(reference)
    models = [{"name": name, "reference": reference} for name in "ab"]
    with Monitor(models=models) as monitor:
        pair = Pair(monitor.attach(listening)())
        for model in "aab":
            request = oip.request([oip.tensor("x", "FP64", [1], [1])], model=model, version="7")
            answer = oip.response([oip.tensor("y", "FP64", [1], [1])], model=model)
            pair.reply(pair.ask(UNARY, framed(request)), framed(answer))
        counted = {
            (r.labels["model"], r.labels["version"]): r.value
            for r in readings(monitor)
            if r.name == "mlmon_prediction_rows_total" and r.value
        }
    assert counted == {("a", "7"): 2, ("b", "7"): 1}


def test_more_streams_than_are_heard_are_told(monitor: Monitor, pair: Pair) -> None:
    pair.server.update_settings({3: 10_000})
    pair.talk()
    streams = [pair.ask(UNARY, framed(REQUEST)) for _ in range(MAX_STREAMS + 2)]
    for stream in streams:
        pair.reply(stream, framed(ANSWER))
    assert heard(monitor) == {(UNARY, "200", "ok"): MAX_STREAMS}
    dropped = {r.labels["reason"]: r.value for r in readings(monitor) if "dropped" in r.name}
    assert dropped["unheard"] == 2


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff" * 100,  # a frame too long to be held
        (MAX_HEAD + 1).to_bytes(3) + b"\x01\x04\x00\x00\x00\x01",
        b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\xff",  # no HPACK
        b"\x00\x00\x01\x09\x04\x00\x00\x00\x01\x82",  # goes on with nothing
        b"\x00\x00\x01\x01\x0c\x00\x00\x00\x01\xff",  # all padding
        b"\x00\x00\x01\x00\x08\x00\x00\x00\x01\xff",
    ],
)
def test_what_is_no_http2_is_said_and_what_was_under_way_let_go(
    monitor: Monitor, junk: bytes
) -> None:
    ear = monitor.attach(listening)()
    pair = Pair(ear)
    pair.ask(UNARY, framed(REQUEST))
    with pytest.raises(UnheardError):
        ear.asked(junk)
    assert monitor._in_flight == {}


def test_any_bytes_are_heard_or_raise_one_error(monitor: Monitor) -> None:
    rng = random.Random(0)
    for _ in range(500):
        ear = monitor.attach(listening)()
        with suppress(UnheardError):
            ear.asked(PREFACE + rng.randbytes(rng.randrange(100)))
            ear.answered(rng.randbytes(rng.randrange(100)))
            ear.closed(by_client=True)
        assert monitor._in_flight == {}


def test_a_conversation_with_bytes_changed_is_heard_or_raises_one_error(monitor: Monitor) -> None:
    said: list[tuple[str, bytes]] = []

    class Tape:
        def asked(self, data: bytes) -> None:
            said.append(("asked", data))

        def answered(self, data: bytes) -> None:
            said.append(("answered", data))

    pair = Pair(cast("Ear", Tape()))
    pair.reply(pair.ask(UNARY, framed(REQUEST)), framed(ANSWER))
    pair.reply(pair.ask(STREAMED, framed(REQUEST) * 2), framed(ANSWER) * 2)
    rng = random.Random(0)
    for _ in range(1000):
        ear = monitor.attach(listening)()
        with suppress(UnheardError):
            for who, data in said:
                changed = bytearray(data)
                if rng.random() < 0.3 and len(data) > len(PREFACE):
                    changed[rng.randrange(len(PREFACE), len(data))] = rng.randrange(256)
                getattr(ear, who)(bytes(changed))
            ear.closed(by_client=True)
        assert monitor._in_flight == {}


def test_http_1_is_heard_as_before_byte_by_byte(monitor: Monitor) -> None:
    ear = monitor.attach(listening)()
    for byte in b'POST /predict HTTP/1.1\r\nContent-Length: 8\r\n\r\n{"a": 1}':
        ear.asked(bytes([byte]))
    ear.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert heard(monitor) == {("/predict", "200", "ok"): 1}


def test_nothing_is_under_way_of_a_connection_that_became_unheard(monitor: Monitor) -> None:
    ear = monitor.attach(listening)()
    ear.asked(b"POST /predict HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
    assert len(monitor._in_flight) == 1
    with pytest.raises(Exception, match=r"."):
        ear.answered(b"no HTTP at all\r\n\r\n")
    assert monitor._in_flight == {}
