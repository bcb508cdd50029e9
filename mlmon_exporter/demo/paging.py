"""Prometheus and Alertmanager with the rules as they ship, at a pace that fits a demo."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from mlmon_exporter.alerts import Settings, files
from mlmon_exporter.alerts.alertmanager import alertmanager_file
from mlmon_exporter.alerts.rule_files import yaml_text
from mlmon_exporter.assets import assets_root

from .server import DemoError, listen

HOUR_SECONDS = 30.0
"""How long an hour of the rules lasts."""
SCRAPE_INTERVAL = "500ms"
START_SECONDS = 20.0
STOP_SECONDS = 5.0
NAMES = {"prometheus": ("prometheus",), "alertmanager": ("alertmanager", "prometheus-alertmanager")}
"""Program -> its names on the PATH; Debian's is the longer one."""
# Ends the program when its standard input ends: with the demo, however that ends.
ENDS_WITH_US = 'exec 3<&0; (read -r _ <&3; kill $$) & exec "$@" 3<&- </dev/null'


class Links(NamedTuple):
    """Where the two programs serve their pages."""

    prometheus: str
    alertmanager: str


def find_programs() -> dict[str, str]:
    """Return program -> path of those that are on the PATH."""
    found: dict[str, str] = {}
    for program, names in NAMES.items():
        for path in filter(None, map(shutil.which, names)):
            found.setdefault(program, path)
    return found


@contextmanager
def paging(programs: dict[str, str], folder: Path, target: str, webhook: str) -> Iterator[Links]:
    """Run both programs within a `with` block.

    Args:
        programs: What `find_programs` found: both.
        folder: For configuration, rules, data and logs.
        target: The server to scrape, as `host:port`.
        webhook: URL under which each receiver is called by its name.

    Raises:
        DemoError: One does not start.
    """
    addresses = [f"127.0.0.1:{_free_port()}" for _ in NAMES]
    prometheus, alertmanager = addresses
    write_configuration(folder, target, alertmanager, webhook)
    with (
        _running(
            [
                programs["alertmanager"],
                f"--config.file={folder}/alerts/alertmanager.yml",
                f"--storage.path={folder}/alertmanager.data",
                f"--web.listen-address={alertmanager}",
                "--cluster.listen-address=",
            ],
            alertmanager,
            folder / "alertmanager.log",
        ),
        _running(
            [
                programs["prometheus"],
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/prometheus.data",
                f"--web.listen-address={prometheus}",
                # Else it finds the server 5 s late: as long as ten minutes of the rules.
                "--scrape.discovery-reload-interval=100ms",
            ],
            prometheus,
            folder / "prometheus.log",
        ),
    ):
        yield Links(f"http://{prometheus}", f"http://{alertmanager}")


def write_configuration(folder: Path, target: str, alertmanager: str, webhook: str) -> None:
    """Write the rules, and the configuration of both programs."""
    runbooks = assets_root() / "alerts" / "runbooks"
    settings = Settings(hour_seconds=HOUR_SECONDS, runbook_url=str(runbooks))
    texts = files(settings) | {"alertmanager.yml": alertmanager_file(settings, webhook)}
    for name, text in texts.items():
        path = folder / "alerts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    configuration = yaml_text(
        {
            "global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL},
            "rule_files": ["alerts/recording/*.yml", "alerts/alerting/*.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [{"job_name": "demo", "static_configs": [{"targets": [target]}]}],
        }
    )
    (folder / "prometheus.yml").write_text(configuration, encoding="utf-8")


def _free_port() -> int:
    with listen(0) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(command: Sequence[str], address: str, log: Path) -> Iterator[None]:
    # In a session of its own, ctrl-c in the terminal is for the demo alone.
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
    while not _is_ready(address):
        if process.poll() is not None or time.monotonic() > give_up:
            last = [*log.read_text(errors="replace").splitlines(), "it said nothing"][-2:][0]
            raise DemoError(f"{log.stem} did not start: {last}")
        time.sleep(0.05)


def _is_ready(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
