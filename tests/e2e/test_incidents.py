"""Incidents of one service among others, from the fault to the pager: real programs, and an hour
of a minute.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from mlmon_exporter.assets.rules import Settings
from tests.state.harms import full, small_disk

from .pager import PACED, Traffic, Watched, app_of, reference_in, watched
from .servers import free_port, program, serving

pytestmark = PACED
PACE = Settings(hour_seconds=60)
FLUSH_SECONDS = 0.25
RESTARTS_AN_HOUR = 30
DOWN, RESTARTING, UNWRITTEN = "MlmonReplicasDown", "MlmonRestarting", "MlmonStateNotWritten"


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return reference_in(tmp_path)


@pytest.fixture
def job(tmp_path: Path, require_binary: Callable[[str], str]) -> Iterator[Watched]:
    with watched(tmp_path, PACE, require_binary) as found:
        yield found


@contextmanager
def process(reference: str, model: str, port: int, folder: Path) -> Iterator[Popen[bytes]]:
    """Serve a model in a process of its own, whose state is in a folder below."""
    environment = {
        "REFERENCE": reference,
        "MODEL": model,
        "MLMON_STATE_DIR": str(folder / "state"),
        "MLMON_FLUSH_SECONDS": str(FLUSH_SECONDS),
    }
    command = ["env", *(f"{name}={value}" for name, value in environment.items())]
    command += [sys.executable, "-m", "uvicorn", "tests.e2e.incident_app:app"]
    command += ["--port", str(port), "--log-level", "error"]

    def is_ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).status_code == 200

    with program(command, is_ready, folder / f"{model}.log") as found:
        yield found


def test_a_crash_loop_makes_a_ticket_and_pages_once(
    reference: str, tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    looping, calm = free_port(), free_port()
    target = f"127.0.0.1:{looping}"
    began = time.monotonic()
    with process(reference, "bike", looping, tmp_path):
        pass
    # As many restarts fit into an hour on a fast machine as on one that is slow or busy.
    pace = Settings(hour_seconds=max(60.0, RESTARTS_AN_HOUR * (time.monotonic() - began)))
    with (
        watched(tmp_path, pace, require_binary) as job,
        serving(app_of(reference, "calm"), calm),
    ):
        job.scrape(looping, calm)

        def crash() -> None:
            """Serve until a scrape has seen it, then die until one has seen that."""
            with process(reference, "bike", looping, tmp_path):
                job.wait_for(f'up{{instance="{target}"}} == 1')
            job.wait_for(f'up{{instance="{target}"}} == 0')

        rounds = 0
        while not (job.told(RESTARTING, target) and job.told(DOWN, "bike")):
            crash()
            rounds += 1
            assert rounds <= 30, "restarts that nobody was told of"
    assert job.inbox.pages() == {(DOWN, "bike")}
    assert job.inbox.calls.count(("pager", "firing")) == 1
    tickets = {n.name for n in job.inbox.notices if n.receiver == "tickets"}
    assert tickets <= {RESTARTING, "MlmonTargetDown"}


def test_a_token_is_rotated_without_a_call_and_a_wrong_one_pages_once(
    job: Watched, reference: str
) -> None:
    ports = [free_port(), free_port()]
    replicas = {port: ExitStack() for port in ports}

    def roll_out(*tokens: str) -> None:
        """Restart one replica after the other; the next waits until this one is scraped."""
        for port, replica in replicas.items():
            replica.close()
            app = app_of(reference, "bike", metrics_token=tokens)
            replica.enter_context(serving(app, port))
            job.wait_for(f'up{{instance="127.0.0.1:{port}"}} == 1')

    with ExitStack() as stack:
        for replica in replicas.values():
            stack.enter_context(replica)
        stack.enter_context(Traffic.to(*ports).flowing())
        job.scrape(*ports)
        job.send_token("old")
        roll_out("old")
        roll_out("old", "new")
        job.send_token("new")
        roll_out("new")
        assert not job.holds('ALERTS{alertstate="firing",severity="critical"}')
        assert job.inbox.pages() == set()

        job.send_token("old")
        job.arrives(DOWN, "bike")
        job.send_token("new")
        job.arrives(DOWN, "bike", "resolved")
    assert job.inbox.pages() == {(DOWN, "bike")}
    assert job.inbox.calls.count(("pager", "firing")) == 1


@contextmanager
def full_disk(folder: Path, server: Popen[bytes]) -> Iterator[None]:
    """No byte is free on the disk of the state."""
    with full(folder / "state"):
        yield


@contextmanager
def file_limit(folder: Path, server: Popen[bytes]) -> Iterator[None]:
    """The server may write no file, as over a quota: nobody has to be root to arrange that."""
    _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, most))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, most))


@pytest.mark.parametrize("harm", [full_disk, file_limit])
def test_while_the_disk_is_full_there_is_a_ticket_and_errors_page(
    harm: Callable[[Path, Popen[bytes]], AbstractContextManager[None]],
    job: Watched,
    reference: str,
    tmp_path: Path,
) -> None:
    port = free_port()
    target = f"127.0.0.1:{port}"
    with ExitStack() as stack:
        if harm is full_disk:
            stack.enter_context(small_disk(tmp_path / "state"))
        server = stack.enter_context(process(reference, "bike", port, tmp_path))
        traffic = Traffic.to(port)
        stack.enter_context(traffic.flowing())
        job.scrape(port)
        job.wait_for('increase(mlmon_requests_total{model="bike"}[10s]) > 20')
        with harm(tmp_path, server):
            job.arrives(UNWRITTEN, target)
            health = httpx.get(f"http://{target}/metrics", timeout=60).text
            assert 'mlmon_state_write_failures_total{reason="full"}' in health
            traffic.failing_share = 0.5
            job.arrives("MlmonErrorBurnFast", "bike")
            traffic.failing_share = 0.0
        job.arrives(UNWRITTEN, target, "resolved")
    assert job.inbox.pages() == {("MlmonErrorBurnFast", "bike")}
    assert job.inbox.calls.count(("pager", "firing")) == 1
    assert {n.receiver for n in job.inbox.of(UNWRITTEN, "firing")} == {"tickets"}
