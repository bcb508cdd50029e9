"""The proxy before real servers: every byte as without it, every request counted."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from .servers import free_port, program, wait_until

NODE = Path(__file__).with_name("model_server.mjs")
JAVA = Path(__file__).with_name("ModelServer.java")
JSON = b'{"instances": [{"a": 1.5, "b": "x"}]}'
CLOSE = b"Connection: close\r\n"


def post(path: str, body: bytes = JSON, extra: bytes = CLOSE) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n" % path.encode()
    return head + b"Content-Length: %d\r\n%b\r\n%b" % (len(body), extra, body)


def chunked(path: str, parts: list[bytes]) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n" % path.encode()
    lines = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + CLOSE + b"\r\n" + lines + b"0\r\nX-Trailer: t\r\n\r\n"


SCRIPTS: Mapping[str, bytes] = {
    "a prediction": post("/predict"),
    "chunks and trailers": post("/invocations"),
    "a request in chunks": chunked("/predict", [JSON[:10], JSON[10:]]),
    "a stream": post("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "a"}]}'),
    "pipelined": post("/predict", extra=b"") * 5 + post("/predict"),
    "answered before the body": post("/early", b"x" * 300_000),
    "a server's fault": post("/fails"),
    "cut off": post("/cut"),
    "an answer without a length": post("/old"),
    "no such path": post("/nowhere"),
    "HEAD": b"HEAD /predict HTTP/1.1\r\nHost: m\r\n\r\n" + post("/predict"),
    "continue": post("/predict", extra=CLOSE + b"Expect: 100-continue\r\n"),
    "an upgrade": b"GET /ws HTTP/1.1\r\nHost: m\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n"
    + os.urandom(1000),
    "no HTTP": b"\x16\x03\x01\x02\x00 hello" + b"\x00" * 100 + b"\r\n\r\n",
    "five megabytes there and back": post("/echo", os.urandom(5_000_000)),
}


def said(port: int, script: bytes, pause: float = 0.0) -> bytes:
    """Send a script, byte for byte, and return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:

        def send() -> None:
            for at in range(0, len(script), 65536):
                client.sendall(script[at : at + 65536])

        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send)
            received = b""
            while part := client.recv(65536):
                received += part
                if b"Upgrade: raw" in script and len(received) >= len(script):
                    client.shutdown(socket.SHUT_WR)
                time.sleep(pause)
            with suppress(ConnectionError):  # a server need not read what it has answered
                sending.result(60)
    return received


def answered(port: int, script: bytes) -> bytes:
    """The same; once more where a server that closed with a body unread had TCP drop its answer."""
    for _ in range(9):
        with suppress(ConnectionResetError):
            return said(port, script)
    return said(port, script)


def metrics(port: int, name: str) -> dict[tuple[str, ...], float]:
    """Counts over 0 of a metric by its label values."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    rows = re.findall(rf"^{name}\{{(.*?)\}} (\S+)$", text, re.MULTILINE)
    return {
        tuple(re.findall(r'="(.*?)"', labels)): float(value)
        for labels, value in rows
        if float(value)
    }


@pytest.fixture(scope="module")
def node(
    require_binary: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    port = free_port()
    command = [require_binary("node"), str(NODE), str(port)]
    log = tmp_path_factory.mktemp("node") / "log"
    with program(command, lambda: is_open(port), log):
        yield port


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


Proxied = tuple[int, int]
"""The port of clients and the port of metrics."""


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def proxied(request: pytest.FixtureRequest, node: int, tmp_path: Path) -> Iterator[Proxied]:
    with proxy_of(node, tmp_path, request.param) as ports:
        yield ports


@contextmanager
def proxy_of(upstream: int, tmp_path: Path, workers: int = 1) -> Iterator[Proxied]:
    port, metrics_port = free_port(), free_port()
    config = tmp_path / "mlmon.toml"
    routes = '["/predict", "/invocations", "/v1/chat/completions"]'
    config.write_text(
        f'state_dir = "{tmp_path}/state"\n[[models]]\nname = "m"\nroutes = {routes}\n'
    )
    command = [sys.executable, "-m", "mlmon_exporter.cli", "proxy", "--config", str(config)]
    command += ["--upstream", f"127.0.0.1:{upstream}", "--port", str(port)]
    command += ["--metrics-port", str(metrics_port), "--workers", str(workers)]

    def is_ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{metrics_port}/healthz").is_success and is_open(port)

    with program(command, is_ready, tmp_path / "log"):
        yield port, metrics_port


def test_every_byte_is_as_without_us_and_every_request_is_counted(
    node: int, proxied: Proxied
) -> None:
    port, metrics_port = proxied
    for name, script in SCRIPTS.items():
        assert answered(port, script) == answered(node, script), name
    slow = SCRIPTS["five megabytes there and back"]
    assert said(port, slow, pause=0.005) == said(node, slow)
    expected = {
        ("m", "", "/predict", "POST", "200", "ok"): 1 + 1 + 6 + 1 + 1,
        ("m", "", "/predict", "HEAD", "200", "ok"): 1,
        ("m", "", "/invocations", "POST", "200", "ok"): 1,
        ("m", "", "/v1/chat/completions", "POST", "200", "ok"): 1,
        ("", "", "other", "POST", "500", "server_error"): 1,
        ("", "", "other", "POST", "200", "interrupted"): 1,
        ("", "", "other", "POST", "404", "client_error"): 1,
        ("", "", "other", "POST", "200", "ok"): 1 + 2,  # /old, and /echo twice
        ("", "", "other", "GET", "101", "ok"): 1,
    }
    total = sum(expected.values()) + 1  # and what was answered before the body, perhaps more often
    with suppress(TimeoutError):  # then the counts say which
        wait_until(lambda: sum(metrics(metrics_port, "mlmon_requests_total").values()) >= total)
    counted = metrics(metrics_port, "mlmon_requests_total")
    assert counted.pop(("", "", "other", "POST", "413", "client_error")) >= 1
    assert counted == expected
    assert sum(metrics(metrics_port, "mlmon_prediction_rows_total").values()) == 10 + 1 + 1
    assert metrics(metrics_port, "mlmon_dropped_total")["unheard",] == 1


def test_the_first_part_of_a_stream_does_not_wait_for_the_rest(node: int, proxied: Proxied) -> None:
    def first_by_whole(port: int) -> float:
        began = time.perf_counter()
        with httpx.stream("POST", f"http://127.0.0.1:{port}/v1/chat/completions") as answer:
            parts = answer.iter_raw()
            next(parts)
            first = time.perf_counter() - began
            for _ in parts:
                pass
        return first / (time.perf_counter() - began)

    # Of what waits for the rest, no answer is so, however often it is asked for.
    wait_until(lambda: first_by_whole(proxied[0]) < 0.7, what="a first part by itself")


OF_JAVA = (
    *("a prediction", "chunks and trailers", "a request in chunks", "pipelined"),
    *("a server's fault", "no such path", "five megabytes there and back"),
)
DATE = re.compile(rb"^Date: .*\r\n", re.MULTILINE)


def test_a_java_servers_bytes_are_as_without_us(
    require_binary: Callable[[str], str], tmp_path: Path
) -> None:
    java = free_port()
    command = [require_binary("java"), str(JAVA), str(java)]
    with (
        program(command, lambda: is_open(java), tmp_path / "java.log"),
        proxy_of(java, tmp_path) as (port, metrics_port),
    ):
        expected = 0
        for name in OF_JAVA:
            script = SCRIPTS[name]
            answers = [DATE.sub(b"", said(each, script)) for each in (port, java)]
            assert answers[0] == answers[1], name
            expected += answers[0].count(b"1.5]}")

        def rows() -> float:
            return sum(metrics(metrics_port, "mlmon_prediction_rows_total").values())

        wait_until(lambda: rows() == expected)
