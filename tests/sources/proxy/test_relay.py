"""A relay changes no byte, whatever its ears do."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
import uvloop

from mlmon_exporter.sources.proxy.address import Address
from mlmon_exporter.sources.proxy.relay import RESET, Ear, Relay

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MIB = 2**20
T = TypeVar("T")
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on each kind of event loop."""

    def run_on(main: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(main)

    return run_on


class Run(Protocol):
    def __call__(self, main: Coroutine[Any, Any, T]) -> T: ...


class Recorder:
    """An ear that keeps all, or raises at the call with a number."""

    def __init__(self, raise_at: int = -1) -> None:
        self.heard: dict[str, bytes] = {"asked": b"", "answered": b""}
        self.events: list[tuple[str, bool]] = []
        self._calls, self._raise_at = 0, raise_at

    def _count(self) -> None:
        self._calls += 1
        if self._calls == self._raise_at:
            raise RuntimeError("a planted fault")

    def asked(self, data: bytes) -> None:
        self._count()
        self.heard["asked"] += data

    def answered(self, data: bytes) -> None:
        self._count()
        self.heard["answered"] += data

    def ended(self, *, by_client: bool) -> None:
        self._count()
        self.events.append(("ended", by_client))

    def closed(self, *, by_client: bool) -> None:
        self._count()
        self.events.append(("closed", by_client))


@asynccontextmanager
async def relayed(
    handler: Handler,
    listen: Callable[[], Ear | None] = lambda: None,
    faults: list[Exception] | None = None,
    idle_seconds: float = 3600.0,
) -> AsyncIterator[tuple[Relay, int]]:
    """A server, and a relay in front of it; gives the relay and its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found = [] if faults is None else faults
    upstream = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    relay = Relay(upstream, listen, found.append, idle_seconds=idle_seconds)
    port = await relay.start(Address("127.0.0.1", 0))
    try:
        yield relay, port
    finally:
        await relay.stop(0)
        for task in list(tasks):
            task.cancel()
        server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def sent_and_received(port: int, data: bytes, chunk: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        for at in range(0, len(data), chunk):
            writer.write(data[at : at + chunk])
            await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    received = await reader.read(-1)
    await sending
    writer.close()
    return received


@pytest.mark.parametrize("chunk", [1, 7, 1000, 100_000])
def test_bytes_come_back_as_they_went(run: Run, chunk: int) -> None:
    data = random.Random(chunk).randbytes(min(chunk * 500, 4 * MIB))
    ears: list[Recorder] = []

    def listen() -> Recorder:
        ears.append(Recorder())
        return ears[-1]

    async def main() -> bytes:
        async with relayed(echo, listen) as (relay, port):
            received = await sent_and_received(port, data, chunk)
            await relay.idle()
            return received

    assert run(main()) == data
    assert ears[0].heard == {"asked": data, "answered": data}
    assert ears[0].events[0] == ("ended", True)
    assert ears[0].events[-1][0] == "closed"


@pytest.mark.parametrize("raise_at", range(1, 8))
def test_bytes_flow_on_when_an_ear_raises_at_any_call(run: Run, raise_at: int) -> None:
    data = random.Random(raise_at).randbytes(300_000)
    faults: list[Exception] = []

    async def main() -> bytes:
        async with relayed(echo, lambda: Recorder(raise_at), faults) as (_, port):
            return await sent_and_received(port, data, 50_000)

    assert run(main()) == data
    assert [str(fault) for fault in faults] == ["a planted fault"]


def test_a_connection_without_an_ear_is_relayed(run: Run) -> None:
    def listen() -> Ear:
        raise OSError("no ear today")

    async def main() -> bytes:
        async with relayed(echo, listen, faults) as (_, port):
            return await sent_and_received(port, b"hello", 5)

    faults: list[Exception] = []
    assert run(main()) == b"hello"
    assert len(faults) == 1


def test_the_answer_goes_on_after_the_client_has_ended_its_side(run: Run) -> None:
    async def answer_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(-1)  # to the client's end
        writer.write(asked.upper())
        await writer.drain()

    async def main() -> bytes:
        async with relayed(answer_later) as (_, port):
            return await sent_and_received(port, b"ask", 3)

    assert run(main()) == b"ASK"


def test_a_server_that_resets_resets_the_client(run: Run) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    async def main() -> None:
        async with relayed(reset) as (relay, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            writer.close()
            await relay.idle()

    run(main())


def test_a_client_of_a_server_that_is_down_is_reset(run: Run) -> None:
    async def main() -> None:
        free = await asyncio.start_server(echo, "127.0.0.1", 0)
        address = Address("127.0.0.1", free.sockets[0].getsockname()[1])
        free.close()
        await free.wait_closed()
        relay = Relay(address, lambda: None, lambda fault: None)
        port = await relay.start(Address("127.0.0.1", 0))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()
        assert relay.connections == 0
        await relay.stop(0)

    run(main())


def test_a_slow_reader_holds_the_sender_back_and_gets_all(run: Run) -> None:
    size, sent = 32 * MIB, 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for _ in range(size // 65536):
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async def main() -> tuple[int, int]:
        async with relayed(flood) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65536)
            first = await reader.readexactly(1)
            before = -1
            while sent != before:  # until the sender stands still
                before = sent
                await asyncio.sleep(0.05)
            total = len(first)
            while data := await reader.read(MIB):
                total += len(data)
            writer.close()
            return before, total

    held, total = run(main())
    assert held < size * 0.8  # what sockets and the two ends buffer, no more
    assert total == size


def test_an_idle_connection_is_closed(run: Run) -> None:
    async def main() -> bytes:
        async with relayed(echo, idle_seconds=0.2) as (relay, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            data = await asyncio.wait_for(reader.read(1), 30)
            writer.close()
            assert relay.connections == 0
            return data

    assert run(main()) == b""


def test_unix_sockets_on_both_sides(run: Run, tmp_path: Path) -> None:
    async def main() -> bytes:
        async def echo_and_close(r: asyncio.StreamReader, w: asyncio.StreamWriter) -> None:
            await echo(r, w)
            w.close()
            await w.wait_closed()

        server = await asyncio.start_unix_server(echo_and_close, tmp_path / "up")
        relay = Relay(Address.parse(f"unix:{tmp_path}/up"), lambda: None, lambda fault: None)
        await relay.start(Address(path=tmp_path / "down"))
        reader, writer = await asyncio.open_unix_connection(tmp_path / "down")
        writer.write(b"hello")
        writer.write_eof()
        received = await reader.read(-1)
        writer.close()
        await writer.wait_closed()
        await relay.stop(10)
        server.close()
        return received

    assert run(main()) == b"hello"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", Address("127.0.0.1", 8000)),
        ("http://model:80/", Address("model", 80)),
        (":8000", Address("127.0.0.1", 8000)),
        ("8000", Address("127.0.0.1", 8000)),
        ("[::1]:8000", Address("::1", 8000)),
        ("unix:/run/model.sock", Address(path=Path("/run/model.sock"))),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize("text", ["", "model", "model:", "model:0", "model:65536", "a:b"])
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected host:port or unix:/path, got"):
        Address.parse(text)
