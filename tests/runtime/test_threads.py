"""Facts about our work in threads: it never waits for those of the served app."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import httpx
import pytest
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlmon_exporter import instrument

TOKEN = "t"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
SLOW_SECONDS = 120.0
SECONDS = 60.0
"""Who waits for slow requests takes longer, and nobody else does, on a busy machine either."""


class SlowPredict:
    """An endpoint that answers when it may, in a thread of the app's."""

    def __init__(self) -> None:
        self.began, self.release = threading.Semaphore(0), threading.Event()

    def answer(self, _: Request) -> Response:
        self.began.release()
        self.release.wait(SLOW_SECONDS)
        return Response(b'{"predictions": [0.5]}')


async def _with_all_threads_taken(
    predict: SlowPredict, app: Starlette, ask: Callable[[httpx.AsyncClient], Awaitable[None]]
) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        threads = int(to_thread.current_default_thread_limiter().total_tokens)
        slow = [
            asyncio.create_task(client.post("/predict", json={"x": 1.0}))
            for _ in range(threads + 5)
        ]
        try:
            for _ in range(threads):
                await asyncio.to_thread(predict.began.acquire)
            await asyncio.wait_for(ask(client), SECONDS)
        finally:
            predict.release.set()
        assert {answer.status_code for answer in await asyncio.gather(*slow)} == {200}


@pytest.mark.parametrize("path", ["/metrics", "/mlmon", "/ground-truth", "/kpi"])
def test_what_we_serve_is_answered_while_slow_requests_have_all_threads(path: str) -> None:
    predict = SlowPredict()
    app = Starlette(routes=[Route("/predict", predict.answer, methods=["POST"])])
    monitor = instrument(app, model="m", token=TOKEN, page_path="/mlmon")

    async def ask(client: httpx.AsyncClient) -> None:
        if path in ("/metrics", "/mlmon"):
            answer = await client.get(path)
        else:
            record = {"kpi": "sales", "prediction_id": "a", "ground_truth": 1}
            answer = await client.post(path, json=record, headers=AUTHORIZED)
        assert answer.status_code == 200
        await monitor.shutdown()

    asyncio.run(_with_all_threads_taken(predict, app, ask))
