"""The model server that `latency` and `overload` drive: with us where there is a REFERENCE."""

from __future__ import annotations

import os

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlmon_exporter import instrument


async def predict(request: Request) -> Response:
    """Answer each row, as a model server does."""
    rows = orjson.loads(await request.body())["instances"]
    return Response(orjson.dumps({"predictions": [row["feature_0"] for row in rows]}))


async def fixed(request: Request) -> Response:
    """Answer without a look at the body: the cheapest server that there can be."""
    await request.body()
    return Response(_ANSWER)


_ANSWER = orjson.dumps({"predictions": [0.5] * int(os.environ.get("ROWS", "1"))})
app = Starlette(
    routes=[
        Route("/predict", predict, methods=["POST"]),
        Route("/fixed", fixed, methods=["POST"]),
        Route("/ready", lambda _: Response()),
    ]
)

if "REFERENCE" in os.environ:
    instrument(app, model="bench", reference=os.environ["REFERENCE"])
