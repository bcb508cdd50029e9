"""The demo's Prometheus and Alertmanager, really running."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.assets.rules import files
from mlmon_exporter.cli.demo.inbox import Inbox, inbox_app
from mlmon_exporter.cli.demo.paging import HOUR_SECONDS, find_programs, paging
from mlmon_exporter.cli.demo.server import DemoError
from tests.e2e.servers import serving, wait_until

from .processes import processes_of

DEMO = [sys.executable, "-m", "mlmon_exporter.cli", "demo", "--port", "0"]
NOBODY = "127.0.0.1:9"
HELD = """\
import sys, time
from pathlib import Path
from mlmon_exporter.cli.demo.inbox import Inbox, inbox_app
from mlmon_exporter.cli.demo.paging import find_programs, paging
with paging(find_programs(), Path(sys.argv[1]), "127.0.0.1:9", "http://127.0.0.1:9"):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def programs(require_binary: Callable[[str], str]) -> dict[str, str]:
    names = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}
    return {program: require_binary(name) for program, name in names.items()}


def executable(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\necho first\necho said by $0\nexit 3\n")
        (folder / name).chmod(0o755)


def test_programs_are_found_under_both_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_programs() == {}
    executable(tmp_path, "prometheus", "prometheus-alertmanager")
    assert find_programs() == {
        "prometheus": f"{tmp_path}/prometheus",
        "alertmanager": f"{tmp_path}/prometheus-alertmanager",
    }
    executable(tmp_path, "alertmanager")
    assert find_programs()["alertmanager"] == f"{tmp_path}/alertmanager"


def test_both_run_with_all_rules_and_end_with_the_block(
    programs: dict[str, str], tmp_path: Path
) -> None:
    monitor, inbox = Monitor(), Inbox()
    with (
        serving(monitor.metrics_app()) as url,
        serving(inbox_app(inbox)) as webhook,
        paging(programs, tmp_path, url.removeprefix("http://"), webhook) as pager,
    ):
        pager.load_rules()
        groups = httpx.get(f"{pager.links.prometheus}/api/v1/rules", timeout=60).json()["data"][
            "groups"
        ]
        wait_until(lambda: inbox.heartbeat_age is not None, what="a heartbeat")
        assert len(processes_of(tmp_path)) == 2 * 2  # and what ends each
    monitor.close()
    assert processes_of(tmp_path) == []
    loaded = [text for name, text in files().items() if not name.startswith("optional/")]
    assert len(groups) == sum(text.count("- name: mlmon-") for text in loaded)
    assert {group["interval"] for group in groups} == {HOUR_SECONDS / 60}
    assert all(rule["health"] != "err" for group in groups for rule in group["rules"])
    # A busy machine leaves out evaluations that are sped up a hundredfold, and is told so.
    told = {notice.name for delivery in inbox.deliveries for notice in delivery.notices}
    assert told <= {"MlmonRulesFailing"}


def test_both_end_when_the_demo_is_killed(programs: dict[str, str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HELD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "up\n"
        held.send_signal(signal.SIGKILL)
    wait_until(lambda: not processes_of(tmp_path), what="both ended")


def test_a_program_that_does_not_start_is_named_and_the_other_ends(
    programs: dict[str, str], tmp_path: Path
) -> None:
    executable(tmp_path, "prometheus")
    broken = {**programs, "prometheus": f"{tmp_path}/prometheus"}
    with (
        pytest.raises(DemoError, match="prometheus did not start: said by"),
        paging(broken, tmp_path, NOBODY, "http://127.0.0.1:9"),
    ):
        pass
    assert processes_of(tmp_path) == []


def test_the_page_for_the_drift_arrives(programs: dict[str, str], tmp_path: Path) -> None:
    result = subprocess.run(
        [*DEMO, "--once", "--seconds", "75"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={"TMPDIR": str(tmp_path)},
    )
    assert result.stderr == ""
    assert result.returncode == 0, result.stdout
    assert re.search(
        r"^Prometheus http://127.0.0.1:\d+ · Alertmanager http", result.stdout, re.MULTILINE
    )
    # Only what is there: no page of something else, however busy this machine.
    pages = re.findall(r"^ +(\d+) s  page +(.+)$", result.stdout, re.MULTILINE)
    assert pages, result.stdout
    texts = [text for _, text in pages]
    assert [t for t in texts if not t.startswith("MlmonFleet") or "income" in t] == []
    # Quality is as much worse as inputs have drifted: either may page first.
    assert re.search(r"Paged after \d+ s: .*bike-demand.* (drifted|become worse)", result.stdout)
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []
