"""Django behind its GZipMiddleware: `python -m tests.servers.django_app PORT [REFERENCE]`."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import django
import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from .linear import FEATURES, outputs

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not one",
)


def ping(request: HttpRequest) -> HttpResponse:
    return HttpResponse("pong")


def predict(request: HttpRequest) -> Any:
    rows = json.loads(request.body)
    values = outputs([[row[name] for name in FEATURES] for row in rows]).tolist()
    return JsonResponse({"predictions": values, "note": " " * 400})


def lines(request: HttpRequest) -> StreamingHttpResponse:
    rows = json.loads(request.body)
    values = outputs([[row[name] for name in FEATURES] for row in rows]).tolist()

    def parts() -> Iterator[bytes]:
        for value in values:
            yield json.dumps({"y": value}).encode() + b"\n"

    return StreamingHttpResponse(parts(), content_type="application/x-ndjson")


urlpatterns = [path("ping", ping), path("predict", predict), path("lines", lines)]

if __name__ == "__main__":
    port, *reference = sys.argv[1:]
    django.setup()
    app: Any = get_asgi_application()
    if reference:
        from mlmon_exporter import Monitor, MonitorMiddleware

        monitor = Monitor(model="linear", reference=reference[0], routes=["/predict", "/lines"])
        app = MonitorMiddleware(app, monitor)
    uvicorn.run(app, port=int(port), log_level="warning", lifespan="off")
