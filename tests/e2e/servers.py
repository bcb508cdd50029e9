"""Real servers on loopback for the tests: started, awaited, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import httpx
import uvicorn

from mlmon_exporter.cli.demo.server import listen

Http = Literal["auto", "h11", "httptools"]
PATIENCE = 180.0
"""Seconds that a step may take on a busy machine; it takes a few."""


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody else is given for a minute.

    A connection whose server hung up first stays for so long. Meanwhile the system offers the port
    to nobody who takes any, as the tests do that run at the same time; who names it may listen.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        listener.accept()[0].close()
        port: int = listener.getsockname()[1]
        return port


def wait_until(is_done: Callable[[], object], seconds: float = PATIENCE, what: str = "") -> None:
    """Wait until a condition holds, asked every 50 ms; fail after so many seconds.

    Raises:
        TimeoutError: Names the condition, and its last value or error.
    """
    end = time.monotonic() + seconds
    pause = threading.Event()
    seen: object = None
    while time.monotonic() < end:
        try:
            seen = is_done()
        except (httpx.HTTPError, KeyError, IndexError) as error:
            seen = error
        else:
            if seen:
                return
        pause.wait(0.05)
    raise TimeoutError(f"not within {seconds:g} s: {what or is_done}; last: {seen!r}")


@contextmanager
def serving(app: Any, port: int = 0, http: Http = "auto") -> Iterator[str]:
    """Serve an ASGI app with uvicorn in a thread, on a port or any that is free; gives its URL."""
    listener = listen(port)  # before anybody else can have the port
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", http=http))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, what="uvicorn started")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


@contextmanager
def program(
    command: list[str], ready: Callable[[], object], log: Path, seconds: float = PATIENCE
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends, and what it starts; `ready` says when it has started.

    In a test the end of its log is printed, which pytest shows where it failed.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as done,
    ):
        try:
            wait_until(lambda: done.poll() is not None or ready(), seconds, what=command[0])
            if done.poll() is not None:
                raise RuntimeError(f"{command[0]} stopped:\n{log.read_text()}")
            yield done
        finally:
            done.terminate()
            done.wait()
            with suppress(ProcessLookupError):  # LitServe leaves its children behind
                os.killpg(done.pid, signal.SIGKILL)
            if "PYTEST_CURRENT_TEST" in os.environ:
                said = log.read_text(errors="replace").splitlines()[-20:]
                print(f"{command[0]} said:", *said, sep="\n")


class Prometheus:
    """A running Prometheus server, asked over its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
        """Return the labels and value of each series of an instant query, now or at a time."""
        params = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        answer = httpx.get(f"{self.url}/api/v1/query", params=params, timeout=30)
        body = answer.json()
        if body["status"] != "success":
            raise ValueError(f"{expression}: {body['error']}")
        return [(series["metric"], float(series["value"][1])) for series in body["data"]["result"]]


@contextmanager
def prometheus(binary: str, folder: Path, config: str, *options: str) -> Iterator[Prometheus]:
    """Run Prometheus with a configuration file's text, and more options of its command line."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yml"
    file.write_text(config)
    url = f"http://127.0.0.1:{port}"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        *options,
    ]

    def is_ready() -> bool:
        return httpx.get(f"{url}/-/ready").status_code == 200

    with program(command, is_ready, folder / "prometheus.log"):
        yield Prometheus(url)


@contextmanager
def alertmanager(binary: str, folder: Path, config: str) -> Iterator[str]:
    """Run Alertmanager with a configuration file's text; gives `host:port`."""
    address = f"127.0.0.1:{free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "alertmanager.yml"
    file.write_text(config)
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]

    def is_ready() -> bool:
        return httpx.get(f"http://{address}/-/ready").status_code == 200

    with program(command, is_ready, folder / "alertmanager.log"):
        yield address
