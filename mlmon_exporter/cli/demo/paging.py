"""Prometheus and Alertmanager with the bundled rules, sped up for the demo."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from mlmon_exporter.assets.root import assets_root
from mlmon_exporter.assets.rules import DEFAULTS, Settings, files
from mlmon_exporter.assets.rules.alertmanager import alertmanager_file
from mlmon_exporter.assets.rules.rule_files import yaml_text

from .server import DemoError, listen

HOUR_SECONDS = 30.0
"""Duration of an hour of the rules."""
PAGES = {"MlmonFleetDrift": "critical"}
"""Drift pages in the demo, to show somebody being paged; it is a ticket by default."""
SCRAPE_INTERVAL = "500ms"
START_SECONDS = 20.0
REQUEST_SECONDS = 5.0
STOP_SECONDS = 5.0
NAMES = {"prometheus": ("prometheus",), "alertmanager": ("alertmanager", "prometheus-alertmanager")}
"""Program -> its names on the PATH; Debian's is the longer one."""
# Ends the program when its standard input ends: with the demo, however that ends.
ENDS_WITH_US = 'exec 3<&0; (read -r _ <&3; kill $$) & exec "$@" 3<&- </dev/null'


class Links(NamedTuple):
    """Addresses of the two programs."""

    prometheus: str
    alertmanager: str


class Paging:
    """Both programs, running."""

    def __init__(self, links: Links, folder: Path) -> None:
        self.links = links
        self._folder = folder

    def load_rules(self) -> None:
        """Begin to evaluate the rules, after the first scrape of the server.

        It comes up to ten seconds late, as long as twenty minutes of the rules: they begin with
        what they are about.

        Raises:
            DemoError: There is no scrape, or Prometheus does not take the rules.
        """
        give_up = time.monotonic() + START_SECONDS
        while '"health":"up"' not in (_answer(f"{self.links.prometheus}/api/v1/targets") or ""):
            if time.monotonic() > give_up:
                raise DemoError("prometheus has not scraped the server")
            time.sleep(0.05)
        runbooks = assets_root() / "alerts" / "runbooks"
        settings = Settings(hour_seconds=HOUR_SECONDS, runbook_url=str(runbooks), severities=PAGES)
        # Response times do not shrink with the hour: on a busy machine, scrapes fail for so long
        # that a server would be down for hours. It is down after minutes, as everywhere; but it is
        # asked as often as the rest, or the heartbeat would come up to two minutes late.
        patient = replace(settings, hour_seconds=DEFAULTS.hour_seconds)
        often, seldom = (f"interval: {pace.span('1m')}" for pace in (settings, patient))
        slow = {
            name: text.replace(seldom, often)
            for name, text in files(patient).items()
            if "targets" in name
        }
        _write(self._folder / "alerts", files(settings) | slow)
        reload = Request(f"{self.links.prometheus}/-/reload", method="POST")  # noqa: S310 it is http
        if _answer(reload) is None:
            raise DemoError("prometheus did not take the rules")


def find_programs() -> dict[str, str]:
    """Return program -> path of those that are on the PATH."""
    found: dict[str, str] = {}
    for program, names in NAMES.items():
        for path in filter(None, map(shutil.which, names)):
            found.setdefault(program, path)
    return found


@contextmanager
def paging(programs: dict[str, str], folder: Path, target: str, webhook: str) -> Iterator[Paging]:
    """Run both programs within a `with` block.

    Args:
        programs: What `find_programs` found: both.
        folder: For configuration, rules, data and logs.
        target: The server to scrape, as `host:port`.
        webhook: URL under which each receiver is called by its name.

    Raises:
        DemoError: One does not start.
    """
    prometheus, alertmanager = (f"127.0.0.1:{_free_port()}" for _ in NAMES)
    pace = Settings(hour_seconds=HOUR_SECONDS)
    texts = {
        "prometheus.yml": prometheus_file(target, alertmanager),
        "alertmanager.yml": alertmanager_file(pace, webhook),
    }
    _write(folder, texts)
    alertmanager_command = [
        programs["alertmanager"],
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager.data",
        f"--web.listen-address={alertmanager}",
        "--cluster.listen-address=",
    ]
    prometheus_command = [
        programs["prometheus"],
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/prometheus.data",
        f"--web.listen-address={prometheus}",
        "--web.enable-lifecycle",
        # It also finds Alertmanager seconds late, and what it sent before is lost.
        "--rules.alert.resend-delay=5s",
    ]
    with (
        _running(alertmanager_command, alertmanager, folder / "alertmanager.log"),
        _running(prometheus_command, prometheus, folder / "prometheus.log"),
    ):
        yield Paging(Links(f"http://{prometheus}", f"http://{alertmanager}"), folder)


def prometheus_file(target: str, alertmanager: str) -> str:
    """Return the configuration of Prometheus; the rules come later."""
    return yaml_text(
        {
            "global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL},
            "rule_files": ["alerts/recording/*.yml", "alerts/alerting/*.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [{"job_name": "demo", "static_configs": [{"targets": [target]}]}],
        }
    )


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _free_port() -> int:
    with listen(0) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(command: Sequence[str], address: str, log: Path) -> Iterator[None]:
    # In a separate session, so that ctrl-c in the terminal reaches the demo alone.
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 found on the PATH
            ["/bin/sh", "-c", ENDS_WITH_US, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            _wait_until_ready(process, address, log)
            yield
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while _answer(f"http://{address}/-/ready") is None:
        if process.poll() is not None or time.monotonic() > give_up:
            last = [*log.read_text(errors="replace").splitlines(), "it said nothing"][-2:][0]
            raise DemoError(f"{log.stem} did not start: {last}")
        time.sleep(0.05)


def _answer(request: str | Request) -> str | None:
    """Return what a program answers; None where it does not, or not well."""
    try:
        with urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 it is http
            text: str = answer.read().decode()
    except HTTPError as error:
        error.close()
        return None
    except OSError:
        return None
    return text


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
