"""The proxy as a program: a relay in front of a server, and its metrics on another port."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
from collections.abc import Callable, Coroutine
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple

import uvicorn

from mlmon_exporter.config.keys import Config, ConfigError
from mlmon_exporter.monitor.monitor import Monitor
from mlmon_exporter.sources.proxy.address import Address
from mlmon_exporter.sources.proxy.listening import listening, unheard
from mlmon_exporter.sources.proxy.relay import Relay
from mlmon_exporter.sources.sink import Sink

from .server import Reader, app_of

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""Open connections are waited for so long when the proxy stops."""


class Ports(NamedTuple):
    """Addresses of the proxy and of the server behind it, and their time-outs."""

    upstream: Address
    address: Address
    metrics: Address
    connect_seconds: float = 5.0
    idle_seconds: float = 3600.0


def relay_of(sink: Sink, ports: Ports) -> Relay:
    """Return a relay whose ears count requests and hand over exchanges."""
    times = {"connect_seconds": ports.connect_seconds, "idle_seconds": ports.idle_seconds}
    return Relay(ports.upstream, listening(sink), unheard(sink), **times)


def run(config: Config, ports: Ports, workers: int, announce: Callable[[str], None]) -> None:
    """Relay until SIGTERM or SIGINT.

    Args:
        config: The models' configuration.
        ports: Addresses and time-outs.
        workers: Processes that relay; several share the port and the state directory.
        announce: Called with a line for people once clients may connect.

    Raises:
        ConfigError: Several workers have no `state_dir`, or the configuration cannot be used.
        OSError: A port is taken.
    """
    if workers == 1:
        _run(_one_process(config, ports, announce))
    elif config.state_dir is None:
        raise ConfigError(
            f"state_dir: expected the folder that {workers} workers share, got none; "
            "set state_dir, or MLMON_STATE_DIR"
        )
    else:
        _run(_several(config, ports, workers, announce))


async def _one_process(config: Config, ports: Ports, announce: Callable[[str], None]) -> None:
    monitor = Monitor(config)
    relay = monitor.attach(lambda sink: relay_of(sink, ports))
    port = await relay.start(ports.address)
    announce(_line(ports, port))
    await _serve_metrics(monitor, ports)
    await relay.stop(GRACE_SECONDS)
    await monitor.shutdown()


async def _several(
    config: Config, ports: Ports, workers: int, announce: Callable[[str], None]
) -> None:
    """Keep worker processes running, and serve what they count together."""
    if not ports.address.port:  # a Unix socket is the last worker's that listens there
        where = ports.address.path or "0"
        raise ConfigError(f"--port: expected a TCP port that workers can share, got {where}")
    running = {_start_worker(config, ports) for _ in range(workers)}
    reader = Reader(config)
    announce(_line(ports, ports.address.port))
    keeping = asyncio.create_task(_keep(running, config, ports))
    await _serve_metrics(reader, ports)
    keeping.cancel()
    for worker in running:
        worker.terminate()
    for worker in running:
        await asyncio.to_thread(worker.join, GRACE_SECONDS + 5)


async def _keep(running: set[SpawnProcess], config: Config, ports: Ports) -> None:
    """Start a worker in place of each that dies."""
    while True:
        await asyncio.sleep(1)
        for worker in [worker for worker in running if not worker.is_alive()]:
            logger.error("mlmon: a proxy worker ended with %s; starting another", worker.exitcode)
            running.remove(worker)
            running.add(_start_worker(config, ports))


def _start_worker(config: Config, ports: Ports) -> SpawnProcess:
    worker = multiprocessing.get_context("spawn").Process(target=_work, args=(config, ports))
    worker.daemon = True
    worker.start()
    return worker


def _work(config: Config, ports: Ports) -> None:
    """Run a worker: the target of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; we get SIGTERM
    _run(_relay_until_told(config, ports))


async def _relay_until_told(config: Config, ports: Ports) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    with Monitor(config) as monitor:
        relay = monitor.attach(lambda sink: relay_of(sink, ports))
        await relay.start(ports.address, is_shared=True)
        await told.wait()
        await relay.stop(GRACE_SECONDS)


async def _serve_metrics(monitor: Monitor, ports: Ports) -> None:
    """Serve /metrics, the page and feedback until a signal comes."""
    host, port, path = ports.metrics
    where = {"uds": str(path)} if path is not None else {"host": host, "port": port}
    settings = uvicorn.Config(app_of(monitor), log_level="warning", **where)
    await uvicorn.Server(settings).serve()


def _line(ports: Ports, port: int) -> str:
    listening = ports.address._replace(port=port)
    return f"Relaying {listening} to {ports.upstream}; metrics at {ports.metrics}"


def _run(main: Coroutine[Any, Any, None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
