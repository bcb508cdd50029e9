"""Facts about the numbers of batch jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlmon_exporter.core.records import Readings
from mlmon_exporter.metrics.batch import push, textfile

NAMES = ("model", "version")
BLOCKS = [
    Readings("mlmon_reference_rows", NAMES, (("m", "1"),), [500.0]),
    Readings("mlmon_prediction_rows_total", NAMES, (("m", "1"),), [7.0]),
]


class Gateway(HTTPServer):
    """A Pushgateway that keeps what is pushed."""

    pushed: list[tuple[str, str, str]]


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.pushed.append((self.command, self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway(("127.0.0.1", 0), _Handler)
    server.pushed = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_textfile_holds_gauges_alone() -> None:
    families = list(text_string_to_metric_families(textfile(BLOCKS).decode()))
    (family,) = families
    assert (family.name, family.type) == ("mlmon_reference_rows", "gauge")
    (sample,) = family.samples
    assert (sample.labels, sample.value) == ({"model": "m", "version": "1"}, 500.0)


def test_a_pushgateway_gets_them_under_the_model(gateway: Gateway) -> None:
    push(f"http://127.0.0.1:{gateway.server_port}", BLOCKS, {"model": "m"})
    ((verb, path, body),) = gateway.pushed
    assert (verb, path) == ("PUT", "/metrics/job/mlmon-compare/model/m")
    assert 'mlmon_reference_rows{model="m",version="1"} 500.0' in body
    assert "_total" not in body


def test_a_pushgateway_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="refused"):
        push("http://127.0.0.1:9", BLOCKS, {})
