"""A relay that passes bytes and looks at none: `python -m tests.bench.relay SERVER_PORT PORT`."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from mlmon_exporter.sources.proxy.address import Address
from mlmon_exporter.sources.proxy.relay import Relay


async def relay(server: int, port: int) -> None:
    """Relay until the process ends."""
    address = Address("127.0.0.1", port)
    relay = Relay(Address("127.0.0.1", server), lambda: None, lambda fault: None)
    await relay.start(address)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(relay(*map(int, sys.argv[1:])))
