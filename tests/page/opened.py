"""A page as it is served."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mlmon_exporter import instrument


def served(**options: Any) -> Starlette:
    """A model server that echoes, with the page at /mlmon."""

    async def predict(_: Request) -> Response:
        return JSONResponse({"predictions": [1.0]})

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    instrument(app, **{"page_path": "/mlmon", "model": "m", **options})
    return app
