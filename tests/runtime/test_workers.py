"""Facts about telling workers of one server from other processes beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# The parent starts two processes as multiprocessing does; the first asks, the others wait.
SPAWNING = """
import multiprocessing as mp, socket, sys

def asks(sock, found):
    from mlmon_exporter.runtime.workers import is_one_of_many
    found.put(is_one_of_many())

def waits(sock, found):
    import time
    time.sleep(60)

if __name__ == "__main__":
    context = mp.get_context("spawn")
    found = context.Queue()
    own, other = socket.create_server(("127.0.0.1", 0)), None
    if sys.argv[1] == "shares":
        other = own
    beside = context.Process(target=waits, args=(other, found), daemon=True)
    beside.start()
    while sys.argv[1] == "shares" and not found.empty():
        pass
    import time
    time.sleep(float(sys.argv[2]))
    asking = context.Process(target=asks, args=(own, found), daemon=True)
    asking.start()
    print(found.get(timeout=50))
    beside.terminate()
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
@pytest.mark.parametrize(("beside", "expected"), [("shares", "True"), ("serves nothing", "False")])
def test_a_process_is_a_worker_beside_one_that_listens_to_the_same_port(
    beside: str, expected: str, tmp_path: Path
) -> None:
    program = tmp_path / "spawning.py"
    program.write_text(SPAWNING)
    command = [sys.executable, str(program), beside, "3.0" if beside == "shares" else "0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == expected
