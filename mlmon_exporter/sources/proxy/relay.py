"""A relay of bytes between clients and one upstream server, with an ear on each connection.

Bytes pass in both directions as they come, before anybody looks at a copy of them. Nothing that an
ear does, or fails to do, can change, hold back or reorder a byte: an ear that raises is dropped and
its connection goes on as a plain relay. Protocols that no ear knows pass just as well.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import Transport
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

from .address import Address

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes `close` send a reset: the peer sees a broken connection, not an end."""
SWEEPS = 4
"""Idle connections are looked for so many times in each idle time-out."""


class Ear(Protocol):
    """Hears both directions of one connection. It is called after the bytes were passed on."""

    def asked(self, data: bytes) -> None:
        """Hear what the client sent."""

    def answered(self, data: bytes) -> None:
        """Hear what the upstream sent."""

    def ended(self, *, by_client: bool) -> None:
        """Hear that one side sends no more."""

    def closed(self, *, by_client: bool) -> None:
        """Hear that the connection is gone, and which side left first."""


class Relay:
    """Connects each client to the upstream. Not thread-safe: one event loop runs it.

    Memory a connection is bounded: what one side sends is read no faster than the other takes it.
    """

    def __init__(
        self,
        upstream: Address,
        listen: Callable[[], Ear | None],
        on_fault: Callable[[Exception], None],
        *,
        connect_seconds: float = 5.0,
        idle_seconds: float = 3600.0,
    ) -> None:
        """Set a relay up.

        Args:
            upstream: The server that clients are connected to.
            listen: Makes the ear of a new connection, or None for none.
            on_fault: Called with what an ear raised.
            connect_seconds: A client whose upstream does not answer for so long is reset.
            idle_seconds: A connection that carries nothing for so long is closed.
        """
        self._upstream = upstream
        self._listen = listen
        self._on_fault = on_fault
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._links: set[_Link] = set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._server: asyncio.AbstractServer | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Number of clients that are connected."""
        return len(self._links)

    async def start(self, address: Address, *, is_shared: bool = False) -> int:
        """Accept clients; return the port, 0 for a Unix socket.

        Args:
            address: Where to listen; port 0 picks a free one.
            is_shared: Whether other processes listen at the same port (SO_REUSEPORT).

        Raises:
            OSError: The address cannot be listened at.
        """
        loop = asyncio.get_running_loop()
        self._sweeper = loop.create_task(self._sweep())
        if address.path is not None:
            self._server = await loop.create_unix_server(self._accept, address.path)
            return 0
        self._server = await loop.create_server(
            self._accept, address.host, address.port, reuse_port=is_shared or None, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    def _accept(self) -> _End:
        return _Link(self).client

    async def stop(self, grace_seconds: float = 10.0) -> None:
        """Accept no more clients, wait for the connected ones so long at most, then close them."""
        if self._server is not None:
            self._server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self.idle()
        for link in list(self._links):
            link.close()
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def idle(self) -> None:
        """Wait until no client is connected."""
        await self._is_idle.wait()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle_seconds / SWEEPS)
            now = loop.time()
            for link in list(self._links):
                if link.is_carrying:
                    link.is_carrying, link.last = False, now
                elif now - link.last > self._idle_seconds:
                    link.close()

    async def connect(self, link: _Link) -> None:
        """Connect a client's link to the upstream; reset the client where that fails."""
        loop = asyncio.get_running_loop()
        self._links.add(link)
        self._is_idle.clear()
        try:
            async with asyncio.timeout(self._connect_seconds):
                if self._upstream.path is not None:
                    await loop.create_unix_connection(
                        lambda: link.upstream, str(self._upstream.path)
                    )
                else:
                    await loop.create_connection(
                        lambda: link.upstream, self._upstream.host, self._upstream.port
                    )
        except (OSError, TimeoutError):
            link.lost(link.upstream, is_broken=True)

    def listen(self) -> Ear | None:
        """Return the ear of a new connection; None where it cannot be had."""
        try:
            return self._listen()
        except Exception as fault:  # noqa: BLE001 - the connection is relayed unheard
            self._on_fault(fault)
            return None

    def fault(self, fault: Exception) -> None:
        """Report what an ear raised."""
        with suppress(Exception):
            self._on_fault(fault)

    def forget(self, link: _Link) -> None:
        """Drop a link that is closed."""
        self._links.discard(link)
        if not self._links:
            self._is_idle.set()


class _End(asyncio.Protocol):
    """One end of a link: what comes in here goes out at the other end."""

    __slots__ = ("_link", "has_ended", "other", "transport")

    def __init__(self, link: _Link) -> None:
        self._link = link
        self.transport: Transport | None = None
        self.other: _End
        self.has_ended = False
        """True if its peer sends no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("Transport", transport)
        self._link.made(self)

    def data_received(self, data: bytes) -> None:
        out = self.other.transport
        if out is None:
            self._link.wait_with(data)
        elif not out.is_closing():
            out.write(data)
        self._link.heard(self, data)

    def eof_received(self) -> bool:
        self.has_ended = True
        self._link.ended(self)
        return True  # the other direction may go on

    def pause_writing(self) -> None:
        source = self.other.transport
        if source is not None and not source.is_closing():
            source.pause_reading()

    def resume_writing(self) -> None:
        source = self.other.transport
        if source is not None and not source.is_closing():
            source.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._link.lost(self, is_broken=error is not None)


class _Link:
    """A client, the upstream's end for it, and the ear of both."""

    __slots__ = (
        "_ear",
        "_early",
        "_is_closed",
        "_loop",
        "_relay",
        "_task",
        "client",
        "is_carrying",
        "last",
        "upstream",
    )

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self._ear: Ear | None = None
        self._early: list[bytes] = []
        self._is_closed = False
        self._task: asyncio.Task[None] | None = None
        self.is_carrying = True
        """It carried something since it was last looked at."""
        self.last = self._loop.time()
        """Time when it was last seen to, by the loop's clock."""
        self.client = _End(self)
        self.upstream = _End(self)
        self.client.other, self.upstream.other = self.upstream, self.client

    def made(self, end: _End) -> None:
        """Have an end: the client's waits, unread, for the upstream's."""
        client = self.client.transport
        if end is self.client and client is not None:
            self._ear = self._relay.listen()
            client.pause_reading()
            self._task = self._loop.create_task(self._relay.connect(self))
        elif client is None or client.is_closing():
            self.close()
        else:
            if self.upstream.transport is not None and self._early:
                self.upstream.transport.writelines(self._early)
            self._early = []
            client.resume_reading()
            if self.client.has_ended:
                self.ended(self.client)

    def wait_with(self, data: bytes) -> None:
        """Keep what came before there is an upstream: uvloop reads once although it is paused."""
        self._early.append(data)
        if self.client.transport is not None:
            self.client.transport.pause_reading()

    def heard(self, end: _End, data: bytes) -> None:
        """Let the ear hear what was passed on."""
        self.is_carrying = True
        ear = self._ear
        if ear is not None:
            try:
                if end is self.client:
                    ear.asked(data)
                else:
                    ear.answered(data)
            except Exception as fault:  # noqa: BLE001 - the bytes flow on
                self._ear = None
                self._relay.fault(fault)

    def ended(self, end: _End) -> None:
        """Pass on that a side sends no more."""
        out = end.other.transport
        if out is None:
            return  # it is told when it is there
        self._tell("ended", end)
        if end.other.has_ended:
            self.close()
        elif not out.is_closing():
            with suppress(OSError, RuntimeError):  # it may close in this moment
                out.write_eof()

    def lost(self, end: _End, *, is_broken: bool) -> None:
        """Let the other side go as this one went: with an end, or with a reset."""
        if self._is_closed:
            return
        self._is_closed = True
        self._tell("closed", end)
        self._ear = None
        self._relay.forget(self)
        if self._task is not None and end is self.client:
            self._task.cancel()
        out = end.other.transport
        if out is not None and not out.is_closing():
            if is_broken:
                _reset(out)
            else:
                out.close()

    def _tell(self, what: str, end: _End) -> None:
        if self._ear is not None:
            try:
                getattr(self._ear, what)(by_client=end is self.client)
            except Exception as fault:  # noqa: BLE001 - see `heard`
                self._ear = None
                self._relay.fault(fault)

    def close(self) -> None:
        """Close both ends, once what was written is sent."""
        for end in (self.client, self.upstream):
            if end.transport is not None and not end.transport.is_closing():
                end.transport.close()


def _reset(transport: Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()
