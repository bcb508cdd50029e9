"""A chat server, watched: what is counted of its requests, and that no text of them stays."""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fastapi import Body, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response, StreamingResponse

from mlmon_exporter import instrument
from mlmon_exporter.core.records import Reading
from tests.asgi import get, post_all

PATH = "/v1/chat/completions"
WORDS = "zebra quokka axolotl narwhal".split()


def event(body: Any) -> bytes:
    return b"data: %s\n\n" % json.dumps(body).encode()


async def streamed(words: list[str], usage: dict[str, int]) -> AsyncIterator[bytes]:
    for word in words:
        chunk = event({"choices": [{"index": 0, "delta": {"content": word}}]})
        yield chunk[:9]  # events need not come in one piece
        yield chunk[9:]
    finish = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield event({"choices": [finish]}) + event({"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def chat_server() -> FastAPI:
    app = FastAPI()

    @app.post(PATH)
    async def chat(body: dict[str, Any] = Body()) -> Response:  # noqa: B008 - FastAPI's way
        words = body["messages"][-1]["content"].split()[::-1]
        usage = {"prompt_tokens": len(words), "completion_tokens": len(words)}
        if body.get("stream"):
            return StreamingResponse(streamed(words, usage), media_type="text/event-stream")
        message = {"role": "assistant", "content": " ".join(words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({"model": body["model"], "choices": [choice], "usage": usage})

    return app


def asked(words: int, *, rng: random.Random, model: str = "m", stream: bool = False) -> Any:
    text = " ".join(rng.choice(WORDS) for _ in range(words))
    return {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}


def value(readings: list[Reading], name: str, **labels: str) -> float:
    [found] = [
        reading.value
        for reading in readings
        if reading.name == name and labels.items() <= reading.labels.items()
    ]
    return found


def test_a_learned_reference_of_a_chat_server_holds_no_text_of_prompts(tmp_path: Path) -> None:
    app = chat_server()
    monitor = instrument(app, model="chat", learn_rows=200, state_dir=str(tmp_path))
    rng = random.Random(0)
    bodies = [asked(1 + i % 20, rng=rng, stream=i % 2 == 0) for i in range(300)]
    post_all(app, PATH, bodies)
    monitor.close()
    [learned] = tmp_path.glob("*.learned-reference.json")
    names = {c["name"] for c in json.loads(learned.read_text())["features"]}
    assert {"messages", "prompt_tokens", "prompt_characters", "stream"} <= names
    everything = get(app, "/metrics").text.encode()
    for path in tmp_path.rglob("*"):
        everything += path.read_bytes()
    assert not [word for word in WORDS if word.encode() in everything]
    monitor.close()


@pytest.mark.slow
def test_longer_prompts_and_answers_are_drift() -> None:
    app = chat_server()
    monitor = instrument(app, model="chat", learn_rows=1000, windows=["1h"])
    rng = random.Random(0)
    usual = [asked(rng.randint(5, 20), rng=rng, stream=i % 2 == 0) for i in range(1000)]
    longer = [asked(rng.randint(30, 60), rng=rng, stream=i % 2 == 0) for i in range(500)]
    post_all(app, PATH, usual + longer)
    assert monitor.flush(60.0)
    readings = monitor.readings()
    for name, is_drift in (("prompt_tokens", 1), ("prompt_characters", 1), ("stream", 0)):
        assert value(readings, "mlmon_feature_drifted", feature=name) == is_drift
    for name, is_drift in (("completion_tokens", 1), ("finish_reason", 0), ("tool_calls", 0)):
        assert value(readings, "mlmon_prediction_drifted", output=name) == is_drift
    monitor.close()


def test_models_behind_one_route_are_told_apart_by_the_body() -> None:
    app = chat_server()
    monitor = instrument(app, models=[{"name": "small"}, {"name": "large"}])
    rng = random.Random(0)
    names = ["small", "large", "large", "unheard-of"]
    post_all(app, PATH, [asked(3, rng=rng, model=name) for name in names])
    assert monitor.flush(60.0)
    readings = monitor.readings()
    assert value(readings, "mlmon_prediction_rows_total", model="small") == 1
    assert value(readings, "mlmon_prediction_rows_total", model="large") == 2
    labels = {"format": "openai", "reason": "unknown_model"}
    assert value(readings, "mlmon_parse_errors_total", **labels) == 1
    assert value(readings, "mlmon_requests_total", model="other", outcome="ok") == 4
    monitor.close()


@pytest.mark.parametrize("stream", [False, True])
def test_above_gzip_middleware_the_same_is_read(stream: bool) -> None:
    read = []
    for is_zipped in (False, True):
        app = chat_server()
        if is_zipped:
            app.add_middleware(GZipMiddleware, minimum_size=1)
        monitor = instrument(app, model="chat", learn_rows=1)
        rng = random.Random(0)
        bodies = [asked(50, rng=rng, stream=stream) for _ in range(20)]
        answers = post_all(app, PATH, bodies, {"accept-encoding": "gzip"})
        # Starlette leaves event streams as they are.
        assert {a.headers.get("content-encoding") for a in answers} == (
            {"gzip"} if is_zipped and not stream else {None}
        )
        assert monitor.flush(60.0)
        rows = [r for r in monitor.readings() if r.name == "mlmon_prediction_bin_rows_total"]
        read.append([(dict(r.labels), r.value) for r in rows])
        monitor.close()
    assert read[0] == read[1]
    assert sum(n for labels, n in read[0] if labels["output"] == "completion_tokens") > 0


def test_a_server_that_takes_a_class_is_configured_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "mlmon.toml"
    config.write_text("[[models]]\nname = 'from-a-file'\n")
    monkeypatch.setenv("MLMON_CONFIG", str(config))
    # As vLLM adds what its command line names: a class, by its dotted path, without arguments.
    module, name = "mlmon_exporter.MonitorMiddleware".rsplit(".", 1)
    middleware: Any = getattr(import_module(module), name)
    is_class: bool = inspect.isclass(middleware)
    assert is_class
    app = chat_server()
    app.add_middleware(middleware)
    post_all(app, PATH, [asked(3, rng=random.Random(0), stream=True)])
    text = get(app, "/metrics").text
    assert 'mlmon_prediction_rows_total{model="from-a-file",version=""} 1' in text
    labels = f'model="from-a-file",version="",route="{PATH}"'
    assert f"mlmon_request_first_token_seconds_count{{{labels}}} 1" in text
    assert f"mlmon_output_token_seconds_count{{{labels}}}" in text


def test_bytes_are_the_same_with_and_without_us() -> None:
    bare, watched = chat_server(), chat_server()
    monitor = instrument(watched, model="chat", max_body_bytes=100)
    bodies = [asked(30, rng=random.Random(i), stream=i % 2 == 0) for i in range(10)]
    for ours, theirs in zip(
        post_all(watched, PATH, bodies), post_all(bare, PATH, bodies), strict=True
    ):
        assert ours.content == theirs.content
    monitor.close()
