"""Facts about telling workers of one server from other processes beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# The parent starts two processes as multiprocessing does; the first asks, the others wait.
SPAWNING = """
import asyncio, multiprocessing as mp, socket, sys

def serves(sock, ready, found):
    from mlmon_exporter.runtime.workers import is_one_of_many
    async def main():
        server = await asyncio.start_server(lambda r, w: None, sock=sock)
        ready.set()
        if found is not None:
            found.put(is_one_of_many())
        await asyncio.sleep(60)
    asyncio.run(main())

def holds(sock, ready, found):
    ready.set()
    import time
    time.sleep(60)

if __name__ == "__main__":
    context = mp.get_context("spawn")
    found, ready = context.Queue(), context.Event()
    sock = socket.create_server(("127.0.0.1", 0))
    work = serves if sys.argv[1] == "serves" else holds
    beside = context.Process(target=work, args=(sock, ready, None), daemon=True)
    beside.start()
    ready.wait()
    asking = context.Process(target=serves, args=(sock, ready, found), daemon=True)
    asking.start()
    print(found.get(timeout=110))
    asking.terminate()
    beside.terminate()
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
@pytest.mark.parametrize(("beside", "expected"), [("serves", "True"), ("holds", "False")])
def test_a_process_is_a_worker_beside_one_that_serves_the_same_port(
    beside: str, expected: str, tmp_path: Path
) -> None:
    program = tmp_path / "spawning.py"
    program.write_text(SPAWNING)
    command = [sys.executable, str(program), beside]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == expected


# The parent starts the second process when the first was scraped.
LATE = """
import asyncio, multiprocessing as mp, socket

def serves(sock, ready, go_on, found):
    from mlmon_exporter import Monitor
    def state():
        families = {family.name: family for family in monitor.collector().collect()}
        return families["mlmon_build_info"].samples[0].labels["state"]
    async def main():
        server = await asyncio.start_server(lambda r, w: None, sock=sock)
        if found is not None:
            found.put(state())
            await asyncio.to_thread(go_on.wait)
            found.put(state())
        ready.set()
        await asyncio.sleep(60)
    with Monitor(model="m") as monitor:
        asyncio.run(main())

if __name__ == "__main__":
    context = mp.get_context("spawn")
    found, ready, go_on = context.Queue(), context.Event(), context.Event()
    sock = socket.create_server(("127.0.0.1", 0))
    first = context.Process(target=serves, args=(sock, ready, go_on, found), daemon=True)
    first.start()
    print(found.get(timeout=110))
    second = context.Process(target=serves, args=(sock, ready, go_on, None), daemon=True)
    second.start()
    ready.wait()
    go_on.set()
    print(found.get(timeout=110))
    first.terminate()
    second.terminate()
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
def test_a_worker_that_was_scraped_before_its_siblings_started_says_so_later(
    tmp_path: Path,
) -> None:
    program = tmp_path / "late.py"
    program.write_text(LATE)
    command = [sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["memory", "unshared"]
