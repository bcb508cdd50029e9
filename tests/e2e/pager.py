"""Model servers of one job, the rules, and a pager: real programs, and an hour of seconds."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from fastapi import Body, FastAPI, HTTPException, Request

from mlmon_exporter import Reference, instrument
from mlmon_exporter.assets.rules import Settings, files
from mlmon_exporter.assets.rules.alertmanager import alertmanager_file

from .servers import Prometheus, alertmanager, prometheus, serving, wait_until

PACED = pytest.mark.flaky(reruns=2)
"""For tests whose hour is seconds: where the machine stands still for some, that is an incident of
its own, and they begin again. A fault of ours fails each time."""
MAX_BODY_BYTES = 20_000
ROWS = 40
WINDOWS = ("60s", "120s")
CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
rule_files: ["{folder}/rules/recording/*.yml", "{folder}/rules/alerting/*.yml"]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: shared
    authorization: {{credentials_file: "{folder}/token"}}
    file_sd_configs: [{{files: ["{folder}/targets.json"]}}]
"""


class Notice(NamedTuple):
    """An alert in a message that Alertmanager sent."""

    receiver: str
    status: str
    labels: Mapping[str, str]
    started: str
    summary: str

    @property
    def name(self) -> str:
        return self.labels["alertname"]


class Inbox:
    """A webhook receiver that keeps all that it is sent."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.calls: list[tuple[str, str]] = []
        """Receiver and status of each message."""
        self.app = FastAPI()
        self.app.post("/{receiver}")(self._receive)

    async def _receive(self, receiver: str, request: Request) -> None:
        body = await request.json()
        self.calls.append((receiver, body["status"]))
        for a in body["alerts"]:
            summary = a["annotations"]["summary"]
            self.notices.append(Notice(receiver, a["status"], a["labels"], a["startsAt"], summary))

    def of(self, name: str, status: str) -> list[Notice]:
        return [n for n in self.notices if n.name == name and n.status == status]

    def pages(self) -> set[tuple[str, str]]:
        """Return alert and model of all that the pager was called for."""
        return {
            (n.name, n.labels["model"])
            for n in self.notices
            if n.receiver == "pager" and n.status == "firing"
        }


class Traffic:
    """Posts to each server in turns until the block ends; what it posts can be changed."""

    def __init__(self, urls: Sequence[str], seed: int) -> None:
        self._urls = urls
        self._rng = np.random.default_rng(seed)
        self._is_over = threading.Event()
        self.shift = 0.0
        self.failing_share = 0.0
        self.padding = ""

    @classmethod
    def to(cls, *ports: int) -> Traffic:
        """Return traffic to servers on these ports."""
        return cls([f"http://127.0.0.1:{port}" for port in ports], seed=2)

    def _post(self) -> None:
        with httpx.Client(timeout=5) as client:
            while not self._is_over.wait(0.01):
                for url in self._urls:
                    with suppress(httpx.HTTPError):  # one may be down: that is what is tested
                        client.post(f"{url}/predict", json=self._body())

    def _body(self) -> dict[str, Any]:
        temps = self._rng.normal(self.shift, 1.0, ROWS).tolist()
        rows = [{"temp": temp, "wind": temp} for temp in temps]
        return {
            "instances": rows,
            "fail": bool(self._rng.random() < self.failing_share),
            "answers": self._rng.random(ROWS).tolist(),
            "padding": self.padding,
        }

    @contextmanager
    def flowing(self) -> Iterator[None]:
        thread = threading.Thread(target=self._post)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join(10)


def app_of(reference: str, model: str, **options: Any) -> FastAPI:
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        if body["fail"]:
            raise HTTPException(500)
        return {"predictions": body["answers"]}

    instrument(
        app,
        model=model,
        reference=reference,
        windows=WINDOWS,
        max_body_bytes=MAX_BODY_BYTES,
        **options,
    )
    return app


def reference_in(folder: Path) -> str:
    """Write a reference of what `Traffic` sends; return its path."""
    rng = np.random.default_rng(1)
    temp = rng.normal(size=5000)
    rows = {"temp": temp, "wind": temp, "cnt": rng.random(5000)}
    Reference.build(rows, predictions="cnt").save(folder / "bike.json")
    return str(folder / "bike.json")


class Watched(NamedTuple):
    """A job, whose targets can be changed, and what watches it."""

    folder: Path
    server: Prometheus
    inbox: Inbox

    def scrape(self, *ports: int) -> None:
        """Have the job consist of these targets."""
        targets = [f"127.0.0.1:{port}" for port in ports]
        _replace(self.folder / "targets.json", json.dumps([{"targets": targets}]))

    def send_token(self, token: str) -> None:
        """Have scrapes carry a token."""
        _replace(self.folder / "token", token)

    def holds(self, expression: str) -> bool:
        """Return whether a query has a result."""
        return bool(self.server.query(expression))

    def wait_for(self, expression: str) -> None:
        """Wait until a query has a result."""
        wait_until(lambda: self.server.query(expression), what=expression)

    def told(self, name: str, place: str, status: str = "firing") -> bool:
        """Return whether a message had an alert of a model or an instance."""
        of = self.inbox.of(name, status)
        return any(place in (n.labels.get("model"), n.labels.get("instance")) for n in of)

    def arrives(self, name: str, place: str, status: str = "firing") -> None:
        """Wait for a message with an alert of a model or an instance."""
        what = f"{name} of {place} {status}"
        wait_until(lambda: self.told(name, place, status), what=what)


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


@contextmanager
def watched(folder: Path, pace: Settings, binary: Callable[[str], str]) -> Iterator[Watched]:
    """Run Prometheus with the rules at a pace, Alertmanager, and a webhook that stands for people.

    Args:
        folder: Takes all files.
        pace: Only the length of the hour should differ from the defaults.
        binary: Gives a program's path.
    """
    for name, text in files(pace).items():
        (folder / "rules" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "rules" / name).write_text(text)
    inbox = Inbox()
    with ExitStack() as stack:
        webhook = stack.enter_context(serving(inbox.app))
        settings = alertmanager_file(pace, webhook)
        address = stack.enter_context(
            alertmanager(binary("prometheus-alertmanager"), folder / "alertmanager", settings)
        )
        config = CONFIG.format(folder=folder, alertmanager=address)
        # What Prometheus had to say before it knew of Alertmanager, it says again after this.
        again = "--rules.alert.resend-delay=2s"
        server = stack.enter_context(
            prometheus(binary("prometheus"), folder / "prometheus", config, again)
        )
        found = Watched(folder, server, inbox)
        found.send_token("none")
        found.scrape()
        yield found
