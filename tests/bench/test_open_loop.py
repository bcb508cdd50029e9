from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .open_loop import latencies, post

STALL_SECONDS = 0.2
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def stalling(answer: bytes = ANSWER) -> Iterator[int]:
    """Serve one connection that stalls on its first request; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                if connection.recv(2**16):
                    threading.Event().wait(STALL_SECONDS)
                    connection.sendall(answer)
                while connection.recv(2**16):
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_requests_that_were_due_while_the_server_stalled_waited_all_that_time() -> None:
    # A closed loop would have sent one request in that time, and called only that one slow.
    with stalling() as port:
        taken = latencies(port, post("/", b"{}"), count=40, rate=200.0, connections=1)
    assert max(taken) >= STALL_SECONDS
    assert sum(latency > STALL_SECONDS / 4 for latency in taken) >= 20


def test_an_answer_other_than_200_is_an_error() -> None:
    refusal = ANSWER.replace(b"200 OK", b"503 No")
    with stalling(refusal) as port, pytest.raises(ConnectionError, match="503"):
        latencies(port, post("/", b"{}"), count=1, rate=0, connections=1)


def test_a_connection_that_is_read_late_keeps_no_other_waiting() -> None:
    request = post("/", b"x" * 2**24)  # more than the system holds for whoever does not read

    def answer(connection: socket.socket) -> None:
        left = len(request)
        while left:
            left -= len(connection.recv(min(left, 2**20)))
        connection.sendall(ANSWER)

    def serve(listener: socket.socket) -> None:
        first, last = (listener.accept()[0] for _ in range(2))
        with first, last:
            for connection in (first, first, first, last):
                answer(connection)
            assert last.recv(1) == b""  # until the client hangs up

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        assert len(latencies(port, request, count=4, rate=0, connections=2)) == 4
        thread.join()
