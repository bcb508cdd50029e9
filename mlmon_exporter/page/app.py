"""The ASGI app of the page, which renders in a thread off the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from mlmon_exporter.core.drift.history import Snapshot
from mlmon_exporter.endpoints.auth import BASIC_OR_BEARER, is_authorized
from mlmon_exporter.runtime.pace import Pace, Pause
from mlmon_exporter.runtime.threads import LimitedThreads

from . import column_page, overview
from .document import REFRESH_SECONDS, document, header
from .help import help_page
from .html import Child, element
from .links import Context, QueryLinks
from .recent import Recent
from .report import report_of
from .style import POLICY
from .view import SIDES, View, view_of

Source = Callable[[Pause], Snapshot]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NOT_THERE = element("h1", "There is no such model, feature or output")
_THREADS = LimitedThreads("page", 2)


class PageApp:
    """Serves the page at one path; the query selects model, column and window, or the report."""

    def __init__(self, source: Source, tokens: Collection[str] = ()) -> None:
        self._source = source
        self._tokens = tokens
        self._lock = threading.Lock()
        self._recent = Recent()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("use GET\n", 405, {**HEADERS, "Allow": "GET, HEAD"})
        if not is_authorized(request, self._tokens, by_password=True):
            headers = {**HEADERS, "WWW-Authenticate": BASIC_OR_BEARER}
            return PlainTextResponse("the metrics token is needed\n", 401, headers)
        query = dict(request.query_params)
        status, body = await _THREADS.run(self._render, query)
        headers = dict(HEADERS)
        if "report" in query:
            headers["Content-Disposition"] = 'attachment; filename="report.html"'
        elif not {"paused", "help"} & query.keys():
            headers["Refresh"] = str(REFRESH_SECONDS)
        return Response(body, status, headers, "text/html; charset=utf-8")

    def _render(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        pace = Pace()
        with self._lock:
            snapshot = self._source(pace)
            view = view_of(snapshot, self._recent.look(snapshot.blocks, snapshot.now))
        return rendered(view, query, pace)


def rendered(
    view: View, query: Mapping[str, str], pause: Pause = lambda: None
) -> tuple[int, bytes]:
    """Return the status and HTML for a query."""
    links = QueryLinks(dict(query))
    window = query.get("window", "")
    if window not in view.windows:
        window = view.windows[-1] if view.windows else ""
    if "report" in query:
        return 200, report_of(view, window or None)
    context = Context(links, window, view.windows, pause)
    status, title, path, body = _page(view, query, context)
    top = header(view, links, path, is_paused=bool({"paused", "help"} & query.keys()))
    return status, document(title, top, element("main", body))


def _page(
    view: View, query: Mapping[str, str], context: Context
) -> tuple[int, str, list[tuple[str, str]], list[Child]]:
    if "help" in query:
        name = query["help"]
        found = help_page(name)
        said = found or [NOT_THERE]
        return 200 if found else 404, f"{name} · mlmon-exporter", [("", name)], said
    if "model" not in query:
        return 200, "mlmon-exporter", [], overview.first(view, context)
    name = query["model"]
    model = next((model for model in view.models if model.name == name), None)
    side = next((side for side in SIDES if side in query), None)
    if model is not None and side is None:
        return (
            200,
            f"{name} · mlmon-exporter",
            [("", name)],
            overview.of_model(view, model, context),
        )
    column = view.find(name, query.get("version", ""), side or "", query.get(side or "", ""))
    if column is None:
        return 404, "Not there · mlmon-exporter", [("", "not there")], [NOT_THERE]
    path = [(context.links.model(name), name), ("", column.name)]
    body = column_page.of_column(view, column, context)
    return 200, f"{column.name} · {name} · mlmon-exporter", path, body
