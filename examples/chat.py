"""An OpenAI-compatible chat that streams its answer: tokens are timed, and no text is kept.

    uvicorn chat:app

The times to the first token and between tokens are measured as events pass. Without a reference
one is learned from the first 10 000 requests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from mlmon_exporter import instrument

app = FastAPI()


class Chat(BaseModel):
    """What this server knows of OpenAI's request."""

    model: str
    messages: list[dict[str, Any]]


async def words(chat: Chat) -> AsyncIterator[str]:
    """Stand in for a language model."""
    for word in ("You", " said", ": ", str(chat.messages[-1]["content"])):
        await asyncio.sleep(0.01)
        yield word


def event(chat: Chat, delta: Any, reason: str | None = None, **more: Any) -> str:
    """Return one server-sent event of a stream."""
    choice = {"index": 0, "finish_reason": reason, "delta": delta}
    return f"data: {json.dumps({'model': chat.model, 'choices': [choice], **more})}\n\n"


async def events(chat: Chat) -> AsyncIterator[str]:
    """Give the answer word by word, and at the end how many tokens it took."""
    async for word in words(chat):
        yield event(chat, {"content": word})
    yield event(chat, {}, "stop", usage={"completion_tokens": 4})
    yield "data: [DONE]\n\n"


@app.post("/v1/chat/completions")
async def complete(chat: Chat) -> StreamingResponse:
    """Answer a chat as a stream, whatever it asks for."""
    return StreamingResponse(events(chat), media_type="text/event-stream")


instrument(app, model="chat", routes=["/v1/chat/completions"], page_path="/mlmon")
