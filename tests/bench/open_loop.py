"""A client that sends at a fixed rate, whether or not the answers are slow.

wrk waits for an answer before it sends again on a connection, so that a slow server is asked less
and looks better than it is. Here a request is due at its time, and its latency counts from then.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping

CONNECTIONS = 32
MOST_SECONDS = 60.0
_END, _LENGTH = b"\r\n\r\n", b"content-length:"


def post(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a request with a JSON body."""
    lines = [f"POST {path} HTTP/1.1", "host: bench", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def latencies(
    port: int, request: bytes, count: int, rate: float, connections: int = CONNECTIONS
) -> list[float]:
    """Send so many requests to a port of loopback; return seconds from due to answered of each.

    Args:
        port: Where the server listens.
        request: The bytes of each request.
        count: How many.
        rate: How many are due a second; 0 for each as soon as a connection is free.
        connections: How many may be under way at a time; what is due then waits.

    Raises:
        ConnectionError: The server hung up, or answered with another status than 200.
        TimeoutError: There are answers missing after `MOST_SECONDS`.
    """
    load = _Load(port, request, connections)
    try:
        return load.run(count, rate)
    finally:
        load.close()


class _Load:
    """Some connections, each with at most one request under way. Never waits for one of them."""

    def __init__(self, port: int, request: bytes, connections: int) -> None:
        self._request = memoryview(request)
        self._poll = select.epoll()
        self._sockets = {}
        for _ in range(connections):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            self._sockets[connection.fileno()] = connection
            self._poll.register(connection, select.EPOLLIN)
        self._idle = list(self._sockets)
        self._due: dict[int, float] = {}
        self._unsent: dict[int, memoryview] = {}
        self._received = dict.fromkeys(self._sockets, b"")

    def close(self) -> None:
        self._poll.close()
        for connection in self._sockets.values():
            connection.close()

    def run(self, count: int, rate: float) -> list[float]:
        taken: list[float] = []
        began, sent = time.perf_counter(), 0
        while len(taken) < count:
            now = time.perf_counter()
            if now - began > MOST_SECONDS:
                raise TimeoutError(f"expected {count} answers, got {len(taken)}")
            while sent < count and self._idle:
                due = began + sent / rate if rate else now
                if due > now:
                    break
                self._begin(due)
                sent += 1
            # Never asleep: a timer of the kernel's would be late by more than a request takes.
            for number, event in self._poll.poll(0):
                if event & select.EPOLLOUT:
                    self._send(number, self._unsent.pop(number))
                elif self._is_answered(number):
                    taken.append(time.perf_counter() - self._due.pop(number))
                    self._idle.append(number)
        return taken

    def _begin(self, due: float) -> None:
        number = self._idle.pop()
        self._due[number] = due
        self._send(number, self._request)

    def _send(self, number: int, unsent: memoryview) -> None:
        """Send what the server takes now; the rest when it takes more."""
        try:
            sent = self._sockets[number].send(unsent)
        except BlockingIOError:
            sent = 0
        wanted = select.EPOLLIN
        if sent < len(unsent):
            self._unsent[number] = unsent[sent:]
            wanted |= select.EPOLLOUT
        self._poll.modify(number, wanted)

    def _is_answered(self, number: int) -> bool:
        chunk = self._sockets[number].recv(2**16)
        received = self._received[number] + chunk
        head, end, body = received.partition(_END)
        if not chunk or not received.startswith(b"HTTP/1.1 200"[: len(received)]):
            raise ConnectionError(f"expected an answer with 200, got {received[:80]!r}")
        is_whole = bool(end) and len(body) >= int(head.lower().partition(_LENGTH)[2].split()[0])
        self._received[number] = b"" if is_whole else received
        return is_whole
