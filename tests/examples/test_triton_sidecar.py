"""The sidecar of the example, and the same before other servers, reads what their protocols say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlmon_exporter import Reference
from tests.e2e.servers import free_port, program, serving, wait_until

FILE = Path(__file__).parents[2] / "examples" / "triton_sidecar.yml"
OBJECTS = {each["kind"]: each for each in yaml.safe_load_all(FILE.read_text())}

Exchange = tuple[str, dict[str, str], bytes, bytes]
"""Path, headers of the request, its body, that of the response."""
JSON = {"content-type": "application/json"}


def tensor(name: str, data: list[float], **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": "FP64", "shape": [len(data), 1], "data": data, **more}


def triton_binary() -> Exchange:
    """`binary_data` of Triton's HTTP client: JSON, then the tensors."""
    inputs = [tensor(name, [0.0, 0.0], parameters={"binary_data_size": 16}) for name in ("a", "b")]
    for each in inputs:
        del each["data"]
    head = orjson.dumps({"inputs": inputs})
    data = b"\0" * 6 + b"\xf8\x3f" + b"\0" * 6 + b"\x00\x40"  # 1.5 and 2.0, little-endian
    headers = {"inference-header-content-length": str(len(head))}
    answer = {"model_name": "fraud", "model_version": "1", "outputs": [tensor("p", [0.5, 1.0])]}
    return "/v2/models/fraud/infer", headers, head + data + data, orjson.dumps(answer)


def triton() -> Exchange:
    asked = {"inputs": [tensor("a", [1.5, 2.0]), tensor("b", [1.5, 2.0])]}
    told = {"model_name": "fraud", "outputs": [tensor("p", [0.5, 1.0])]}
    path = "/v2/models/fraud/versions/1/infer"
    return path, JSON, orjson.dumps(asked), orjson.dumps(told)


def tf_serving() -> Exchange:
    asked = {"instances": [{"a": 1.5, "b": 1.5}, {"a": 2.0, "b": 2.0}]}
    told = orjson.dumps({"predictions": [[0.5], [1.0]]})
    return "/v1/models/fraud/versions/1:predict", JSON, orjson.dumps(asked), told


def torchserve() -> Exchange:
    asked = {"instances": [[1.5, 1.5], [2.0, 2.0]]}
    told = orjson.dumps({"predictions": [0.5, 1.0]})
    return "/predictions/fraud/1", JSON, orjson.dumps(asked), told


def sidecar(folder: Path, upstream: str, ports: list[int]) -> list[str]:
    """Return the command of the example's container, its ports and its folder put in place."""
    containers = OBJECTS["Deployment"]["spec"]["template"]["spec"]["containers"]
    command = [*containers[1]["command"]]
    own = {
        "--upstream=127.0.0.1:8000": f"--upstream={upstream}",
        "--config=/etc/mlmon/mlmon.toml": f"--config={folder / 'mlmon.toml'}",
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=8080": f"--port={ports[0]}",
        "--metrics-host=0.0.0.0": "--metrics-host=127.0.0.1",
        "--metrics-port=9464": f"--metrics-port={ports[1]}",
    }
    assert own.keys() <= set(command)
    return [sys.executable, "-m", "mlmon_exporter.cli", *(own.get(a, a) for a in command[1:])]


@pytest.mark.parametrize("exchange", [triton, triton_binary, tf_serving, torchserve])
def test_a_servers_own_protocol_is_read_through_the_sidecar(exchange: Any, tmp_path: Path) -> None:
    path, headers, asked, told = exchange()

    async def answer(request: Request) -> Response:
        assert await request.body() == asked
        return Response(told, headers=JSON)

    rows = {"a": [1.0, 2.0] * 50, "b": [1.0, 3.0] * 50, "p": [0.5, 1.0] * 50}
    Reference.build(rows, predictions="p").save(tmp_path / "fraud.reference.json")
    (tmp_path / "mlmon.toml").write_text(OBJECTS["ConfigMap"]["data"]["mlmon.toml"])
    ports = [free_port(), free_port()]
    with serving(Starlette(routes=[Route(path, answer, methods=["POST"])])) as url:
        command = sidecar(tmp_path, url.removeprefix("http://"), ports)
        metrics = f"http://127.0.0.1:{ports[1]}/metrics"
        with program(command, lambda: httpx.get(metrics).is_success, tmp_path / "log"):
            received = httpx.post(
                f"http://127.0.0.1:{ports[0]}{path}", content=asked, headers=headers
            )
            assert received.content == told

            def counted() -> dict[str, float]:
                found = re.findall(
                    r"^(\w+)\{model=\"fraud\".* (\S+)$", httpx.get(metrics).text, re.MULTILINE
                )
                names = ("mlmon_prediction_rows_total", "mlmon_feature_value_sum")
                return {
                    name: sum(float(value) for each, value in found if each == name)
                    for name in (*names, "mlmon_prediction_value_sum")
                }

            expected = {
                "mlmon_prediction_rows_total": 2,
                "mlmon_feature_value_sum": 7,
                "mlmon_prediction_value_sum": 1.5,
            }
            wait_until(lambda: counted() == expected, what="the rows")
            is_versioned = 'version="1"' in httpx.get(metrics).text
            assert is_versioned == (exchange is not torchserve)  # whose version is not read


def test_the_parts_of_the_manifest_fit_together() -> None:
    spec = OBJECTS["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels == OBJECTS["Service"]["spec"]["selector"]
    (port,) = OBJECTS["Service"]["spec"]["ports"]
    named = {each["name"] for each in spec["template"]["spec"]["containers"][1]["ports"]}
    assert port["targetPort"] in named
    volumes = {each["name"]: each for each in spec["template"]["spec"]["volumes"]}
    assert volumes["mlmon"]["configMap"]["name"] == OBJECTS["ConfigMap"]["metadata"]["name"]
