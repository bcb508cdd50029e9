"""Whatever fails while a connection is heard, its bytes arrive, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httptools
import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.sources.proxy.address import Address
from mlmon_exporter.sources.proxy.listening import listening, unheard
from mlmon_exporter.sources.proxy.relay import Relay
from mlmon_exporter.sources.proxy.turns import UnheardError

ROW = b'{"instances": [{"a": 1.5}]}'
ASKED = (
    b"POST /predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(ROW), ROW)
    + b"POST /predict HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\nX-Trailer: t\r\n\r\n" % (len(ROW), ROW)
    + b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    + b"HEAD /predict HTTP/1.1\r\n\r\n"
    + b"GET /ws HTTP/1.1\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n"
)
EVENT = b'data: {"choices": []}\n\n'
TOLD = b'{"predictions": [0.5]}'
ANSWERED = (
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(TOLD), TOLD)
    + b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\nX-Trailer: t\r\n\r\n" % (len(TOLD), TOLD)
    + b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n" % (len(EVENT), EVENT) * 3
    + b"0\r\n\r\n"
    + b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n"
    + b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n\x00\xff"
)
SOURCES = "mlmon_exporter.sources"
PROXY = f"{SOURCES}.proxy"
FAULTS = (
    "mlmon_exporter.core.counts.requests.RequestCounts.record",
    "mlmon_exporter.core.counts.requests.RequestCounts.record_tokens",
    f"{SOURCES}.model_routes.ModelRoutes.find_path",
    f"{SOURCES}.stream.StreamedAnswer.parts",
    f"{SOURCES}.stream.StreamedAnswer.take",
    *(f"{SOURCES}.recorder.Recorder.{name}" for name in ("answer_begins", "begin", "end")),
    *(f"{SOURCES}.turn.Turn.{name}" for name in ("ask", "start", "take_request", "take_response")),
    *(f"{PROXY}.http1.Http1Ear.{name}" for name in ("asked", "answered", "ended", "closed")),
    *(f"{PROXY}.turns.Turns.{name}" for name in ("begin", "give_up", "finish")),
    *(
        f"{PROXY}.{side}.{name}"
        for side in ("requests.Requests", "answers.Answers")
        for name in ("on_message_begin", "on_header", "on_headers_complete", "on_body",
                     "on_message_complete", "feed")
    ),
    f"{PROXY}.heads.Heads.find",
    f"{PROXY}.answers.Answers._feed_head",
    f"{PROXY}.requests.Requests._hold",
)  # fmt: skip


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with Monitor(model="m", routes=["/predict", "/v1/chat/completions"]) as made:
        yield made


def counts(monitor: Monitor, name: str) -> dict[tuple[str, ...], float]:
    monitor.flush()
    return {
        tuple(reading.labels.values()): reading.value
        for reading in monitor.readings()
        if reading.name == name and reading.value
    }


async def talk(monitor: Monitor, asked: bytes, answered: bytes) -> tuple[bytes, bytes]:
    """Send through a relay to a server that answers once it has all; return what either got."""
    got, done = b"", asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        while len(got) < len(asked):
            got += await reader.read(65536)
        writer.write(answered)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    relay = monitor.attach(lambda sink: Relay(upstream, listening(sink), unheard(sink)))
    port = await relay.start(Address("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    received = await asyncio.wait_for(reader.read(-1), 60)
    writer.close()
    await writer.wait_closed()
    await done.wait()
    await relay.idle()
    await relay.stop(0)
    server.close()
    return got, received


def test_a_conversation_is_counted(monitor: Monitor) -> None:
    assert asyncio.run(talk(monitor, ASKED, ANSWERED)) == (ASKED, ANSWERED)
    assert sum(counts(monitor, "mlmon_requests_total").values()) == 5
    assert counts(monitor, "mlmon_dropped_total") == {}


@pytest.mark.parametrize("where", FAULTS)
def test_every_byte_arrives_whatever_fails(
    where: str, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[str] = []

    def fail(*args: Any, **named: Any) -> None:
        raised.append(where)
        raise RuntimeError("a planted fault")

    monkeypatch.setattr(where, fail)
    assert asyncio.run(talk(monitor, ASKED, ANSWERED)) == (ASKED, ANSWERED)
    assert raised
    assert monitor._in_flight == {}
    monkeypatch.undo()
    assert counts(monitor, "mlmon_dropped_total")["unheard",] == 1
    assert asyncio.run(talk(monitor, ASKED, ANSWERED)) == (ASKED, ANSWERED)
    assert sum(counts(monitor, "mlmon_requests_total").values()) >= 5


def test_of_a_conversation_with_bytes_changed_nothing_stays(monitor: Monitor) -> None:
    rng = random.Random(0)
    heard = 0
    for _ in range(2000):
        ear = monitor.attach(listening)()
        asked, answered = (_changed(each, rng) for each in (ASKED, ANSWERED))
        with suppress(UnheardError, httptools.HttpParserError):
            while asked or answered:
                size = rng.randrange(1, 200)
                if asked:
                    ear.asked(asked[:size])
                elif answered:
                    ear.answered(answered[:size])
                asked, answered = asked[size:], answered if asked else answered[size:]
            ear.closed(by_client=rng.random() < 0.5)
            heard += 1
        assert monitor._in_flight == {}
    assert 0 < heard < 2000


def _changed(said: bytes, rng: random.Random) -> bytes:
    data = bytearray(said)
    for _ in range(rng.randrange(3)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)
