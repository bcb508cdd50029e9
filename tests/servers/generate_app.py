"""Text as TGI and Triton make it: `python -m tests.servers.generate_app PORT [REFERENCE]`."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()
WORDS = ("Dear ", "Jane ", "Roe")
ROUTES = ["/generate", "/generate_stream", "/v2/models/{name}/generate"]


@app.get("/ping")
def ping() -> str:
    return "pong"


@app.post("/generate")
def generate(body: dict[str, Any]) -> Any:
    return {"generated_text": "".join(WORDS) + body["inputs"]}


@app.post("/generate_stream")
def generate_stream(body: dict[str, Any]) -> StreamingResponse:
    def events() -> Iterator[str]:
        for i, word in enumerate(WORDS):
            is_last = i == len(WORDS) - 1
            token = {"id": i, "text": word, "logprob": -0.5, "special": False}
            text = "".join(WORDS) if is_last else None
            event = {"index": i, "token": token, "generated_text": text, "details": None}
            yield f"data:{json.dumps(event)}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.post("/v2/models/{name}/generate")
def triton(name: str, body: dict[str, Any]) -> Any:
    return {"model_name": name, "model_version": "1", "text_output": body["text_input"] + WORDS[2]}


@app.post("/v2/models/{name}/generate_stream")
def triton_stream(name: str, body: dict[str, Any]) -> StreamingResponse:
    def events() -> Iterator[str]:
        for word in WORDS:
            event = {"model_name": name, "model_version": "1", "text_output": word}
            yield f"data: {json.dumps(event)}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


if __name__ == "__main__":
    port, *watched = sys.argv[1:]
    if watched:
        from mlmon_exporter import instrument

        routes = [*ROUTES, "/v2/models/{name}/generate_stream"]
        instrument(app, model="text", routes=routes, learn_rows=20)
    uvicorn.run(app, port=int(port), log_level="warning")
