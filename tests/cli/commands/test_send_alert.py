"""Facts about `mlmon-exporter test-alert`, at a real Alertmanager with the bundled routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI

from mlmon_exporter.assets.rules import Settings
from mlmon_exporter.assets.rules.alertmanager import alertmanager_file
from tests.command_line import error, run
from tests.e2e.pager import Inbox
from tests.e2e.servers import alertmanager, free_port, serving

NOBODY = "http://127.0.0.1:9"
Require = Callable[[str], str]


@contextmanager
def routing_to(people: str, folder: Path, require_binary: Require) -> Iterator[str]:
    """Run Alertmanager, whose receivers are webhooks of these people, without a long wait."""
    routes = alertmanager_file(Settings(hour_seconds=24), people)
    with alertmanager(require_binary("prometheus-alertmanager"), folder, routes) as address:
        yield f"http://{address}"


def tried(*arguments: str) -> tuple[int, str]:
    """Return the exit code of a test, and what it said."""
    result = run("test-alert", *arguments)
    return result.exit_code, " ".join(result.stdout.split())


def test_a_test_takes_the_way_of_its_severity_each_time(
    tmp_path: Path, require_binary: Require
) -> None:
    inbox = Inbox()
    with serving(inbox.app) as people, routing_to(people, tmp_path, require_binary) as url:
        for severity, receiver in (("critical", "pager"), ("warning", "tickets")):
            code, said = tried("--alertmanager", url, "--severity", severity)
            assert f"It goes to: {receiver}." in said
            assert "Alertmanager has sent a message by webhook. Look for" in said
            assert code == 0
    notices = inbox.of("MlmonTest", "firing")
    assert {notice.receiver for notice in notices} == {"pager", "tickets"}
    assert all("nothing is wrong" in notice.summary for notice in notices)


def test_a_receiver_that_is_not_there_is_said(tmp_path: Path, require_binary: Require) -> None:
    with routing_to(NOBODY, tmp_path, require_binary) as url:
        code, said = tried("--alertmanager", url, "--severity", "critical")
    assert "Alertmanager failed to send by webhook" in said
    assert code == 1


def test_a_silence_is_said(tmp_path: Path, require_binary: Require) -> None:
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "job", "value": "mlmon.*", "isRegex": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "a test",
        "comment": "quiet",
    }
    with routing_to(NOBODY, tmp_path, require_binary) as url:
        made = httpx.post(f"{url}/api/v2/silences", json=silence).json()
        code, said = tried("--alertmanager", url)
    assert f"It goes to: tickets. But it is held back: silence {made['silenceID']}." in said
    assert code == 1


def test_what_is_no_alertmanager_is_an_error_that_says_what_to_give() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    assert "Connection refused; give the address of an Alertmanager" in error(
        "test-alert", "--alertmanager", nobody
    )
    with serving(FastAPI()) as other:
        assert "answered 404 Not Found" in error("test-alert", "--alertmanager", other)
    assert "expected http:// or https://" in error("test-alert", "--alertmanager", "localhost:9093")


def test_options_are_checked_before_anything_is_sent() -> None:
    assert error("test-alert", "--severity", "high").startswith(
        "--severity: expected one of critical, warning, info, heartbeat, got 'high'"
    )
    assert error("test-alert", "--label", "team", "--alertmanager", NOBODY) == (
        "--label: expected KEY=VALUE, got 'team'"
    )
