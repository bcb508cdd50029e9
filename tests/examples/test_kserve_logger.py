"""The manifest for KServe's logger fits together: its address is where its server takes events."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

from mlmon_exporter import Reference
from tests.e2e.servers import free_port, program, wait_until
from tests.sources.events.logger import binary, event

ROOT = Path(__file__).parents[2]
OBJECTS = {
    each["kind"]: each
    for each in yaml.safe_load_all((ROOT / "examples" / "kserve_logger.yml").read_text())
}
CONFIG = re.findall(
    r"^```toml\n(.*?)^```", (ROOT / "docs" / "events.md").read_text(), re.MULTILINE | re.DOTALL
)


def test_events_sent_to_its_address_are_counted_by_its_server(tmp_path: Path) -> None:
    service, deployment = OBJECTS["InferenceService"], OBJECTS["Deployment"]
    name = service["metadata"]["name"]
    rows = {"a": [1.0, 2.0] * 50, "p": [0.0, 1.0] * 50}
    Reference.build(rows, predictions="p").save(tmp_path / f"{name}.reference.json")
    text = CONFIG[0].replace("/var/lib/mlmon", str(tmp_path / "state"))
    (tmp_path / "mlmon.toml").write_text(text.replace('"..."', '"TOKEN"'))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    port = free_port()
    own = {
        "--config=/etc/mlmon/mlmon.toml": f"--config={tmp_path / 'mlmon.toml'}",
        "--host=0.0.0.0": f"--port={port}",
    }
    arguments = [own.get(each, each) for each in container["command"][1:]]
    command = [sys.executable, "-m", "mlmon_exporter.cli", *arguments]
    address = urlsplit(service["spec"]["predictor"]["logger"]["url"])
    of_pod = {"namespace": service["metadata"]["namespace"], "inferenceservicename": name}
    url = f"http://127.0.0.1:{port}"
    with program(command, lambda: httpx.get(f"{url}/healthz").is_success, tmp_path / "log"):
        for told in (
            event("request", "1", {"instances": [{"a": 1.5}]}, **of_pod),
            event("response", "1", {"predictions": [0.5]}, **of_pod),
        ):
            headers, body = binary(told)
            answer = httpx.post(f"{url}{address.path}", content=body, headers=headers)
            assert answer.status_code == 200
        row = re.compile(rf'mlmon_prediction_rows_total{{model="{name}",version=""}} 1(\.0)?\n')
        wait_until(lambda: row.search(httpx.get(f"{url}/metrics").text), what="its row")


def test_its_service_is_the_loggers_host() -> None:
    address = urlsplit(OBJECTS["InferenceService"]["spec"]["predictor"]["logger"]["url"])
    service, deployment = OBJECTS["Service"], OBJECTS["Deployment"]
    (port,) = service["spec"]["ports"]
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}"
    assert address.netloc == f"{host}:{port['port']}"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == labels
    assert deployment["spec"]["replicas"] == 1
