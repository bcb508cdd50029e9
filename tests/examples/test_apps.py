"""The examples of FastAPI apps answer, and are counted as they say."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from fastapi import FastAPI

from mlmon_exporter import Reference
from tests.asgi import get, post_all
from tests.e2e.servers import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = [
    "two_models.py",
    "chat.py",
    "embeddings.py",
    "batch.py",
    "consumer.py",
    "sagemaker_app.py",
    "grpc_server.py",
]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], FastAPI]:
    """Return a function that imports an example anew and gives its app."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def load(name: str) -> FastAPI:
        monkeypatch.delitem(sys.modules, name, raising=False)
        app: FastAPI = importlib.import_module(name).app
        return app

    return load


def counted(app: FastAPI, name: str) -> dict[str, float]:
    """Return the samples of a metric by their labels."""
    text = get(app, "/metrics").text
    return {
        labels: float(value)
        for labels, value in re.findall(rf"^{name}{{(.*)}} (\S+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", [*SHORT, "triton_sidecar.yml", "kserve_logger.yml"])
def test_an_example_is_read_at_a_glance(name: str) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) < 60


def test_two_models_of_one_app_are_told_apart(
    load: Callable[[str], FastAPI], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rides = {"hour": [*range(24)] * 10, "temperature": [1.0, 2.0] * 120, "season": ["winter"] * 240}
    Reference.build({**rides, "prediction": [30.0, 40.0] * 120}, predictions="prediction").save(
        tmp_path / "bikes.reference.json"
    )
    asked = {"income": [1e4, 1e5] * 50, "years_employed": [1.0, 2.0] * 50}
    told = {"probability": [0.8, 0.1] * 50, "decision": ["refuse", "grant"] * 50}
    Reference.build({**asked, **told}, predictions=[*told]).save(tmp_path / "credit.reference.json")
    monkeypatch.setenv("REFERENCES", str(tmp_path))
    app = load("two_models")
    ride = {"hour": 7, "temperature": 1.5, "season": "winter"}
    (answer,) = post_all(app, "/bikes", [[ride, ride]])
    assert answer.json() == [31.5, 31.5]
    assert answer.headers["x-prediction-id"]
    (answer,) = post_all(app, "/credit", [{"income": 10_000}])
    assert answer.json() == {"probability": pytest.approx(0.8), "decision": "refuse"}
    (refused,) = post_all(app, "/credit", [{"income": -1}])
    assert refused.status_code == 422
    rows = {'model="bikes",version=""': 2.0, 'model="credit",version=""': 1.0}
    wait_until(lambda: counted(app, "mlmon_prediction_rows_total") == rows)
    assert (
        counted(app, "mlmon_feature_value_sum")['model="bikes",version="",feature="temperature"']
        == 3
    )
    assert get(app, "/mlmon").status_code == 200


def test_a_chats_tokens_are_timed_and_its_text_is_not_kept(
    load: Callable[[str], FastAPI],
) -> None:
    app = load("chat")
    chat = {"model": "small", "messages": [{"role": "user", "content": "my secret"}]}
    (answer,) = post_all(app, "/v1/chat/completions", [chat])
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    words = [orjson.loads(each)["choices"][0]["delta"].get("content", "") for each in events[:-1]]
    assert "".join(words) == "You said: my secret"
    labels = 'model="chat",version="",route="/v1/chat/completions"'
    wait_until(lambda: counted(app, "mlmon_prediction_rows_total"))
    assert counted(app, "mlmon_request_first_token_seconds_count") == {labels: 1}
    assert counted(app, "mlmon_output_token_seconds_count") == {labels: 4}
    assert "secret" not in get(app, "/metrics").text


def test_embeddings_of_a_new_topic_lie_far_from_the_reference(
    load: Callable[[str], FastAPI], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = load("embeddings")
    texts = ["gradient descent diverges", "matrix rank deficient", "eigenvalue spectrum"]
    for text in texts:
        post_all(app, "/v1/embeddings", [{"model": "embeddings", "input": text}])
    rows = 'model="embeddings",version="",derived="embedding_residual",window="1h"'
    wait_until(lambda: counted(app, "mlmon_derived_window_rows").get(rows) == 3.0)
    bins = counted(app, "mlmon_derived_bin_rows_total")
    residual = 'model="embeddings",version="",derived="embedding_residual",kind="numeric"'
    assert bins[f'{residual},bin="09"'] == 3.0
