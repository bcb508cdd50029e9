"""Readings as Prometheus families, for a scrape or for a registry of `prometheus_client`."""

from __future__ import annotations

import hmac
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.samples import Exemplar
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from mlmon_exporter.core.records import Histograms, Readings
from mlmon_exporter.runtime.pace import Pace
from mlmon_exporter.runtime.threads import Threads

from .table import METRICS
from .text import Exposition, bound_label, exemplar_labels, has_sum

Block = Readings | Histograms


Source = Callable[[Callable[[], None]], Iterable[Block]]
"""Gives all readings; what it is handed is called in long work, to rest."""
OnFault = Callable[[Exception], None]
"""Told of what kept a scrape from being answered."""


_PROCESS = ProcessCollector(registry=None)


def process_numbers() -> dict[str, float]:
    """Return the numbers of this process by metric; none where the system does not tell."""
    samples = (sample for metric in _PROCESS.collect() for sample in metric.samples)
    return {sample.name: float(sample.value) for sample in samples if sample.name in METRICS}


def families(blocks: Iterable[Block]) -> Iterator[tuple[str, str, str, Sequence[Block]]]:
    """Group readings by metric, in the table's order: name, type, help text, readings."""
    by_name: dict[str, list[Block]] = {}
    for block in blocks:
        by_name.setdefault(block.name, []).append(block)
    for name, (kind, help_text) in METRICS.items():
        if name in by_name:
            yield name, kind, help_text, by_name[name]


class MlmonCollector:
    """Readings for a `prometheus_client` registry: `registry.register(monitor.collector())`."""

    def __init__(self, source: Source, on_fault: OnFault) -> None:
        """Give what the source gives, or where it fails nothing, and tell of it."""
        self._source = source
        self._on_fault = on_fault

    def describe(self) -> Iterator[Metric]:
        """Give all families, empty: nothing is computed when the collector is registered."""
        for name, (kind, help_text) in METRICS.items():
            if name.startswith("mlmon_"):
                yield _family(name, kind, help_text)

    def collect(self) -> Iterator[Metric]:
        """Give all families of ours; `process_*` is left to the registry's own collector."""
        try:
            found = [*self._metrics()]
        except Exception as error:  # noqa: BLE001 - the registry's other collectors are asked all the same
            self._on_fault(error)
            return
        yield from found

    def _metrics(self) -> Iterator[Metric]:
        for name, kind, help_text, blocks in families(self._source(Pace())):
            if name.startswith("mlmon_"):
                metric = _family(name, kind, help_text)
                for block in blocks:
                    _add_samples(metric, block)
                yield metric


def _family(name: str, kind: str, help_text: str) -> Metric:
    # The registry may render OpenMetrics, which has no summary of values that may be negative.
    known = "gauge" if kind == "summary" else kind
    return Metric(name.removesuffix("_total"), help_text, known)


def _add_samples(metric: Metric, block: Block) -> None:
    if isinstance(block, Histograms):
        _add_buckets(metric, block)
        return
    for labels, value in zip(block.labels, block.values, strict=True):
        if value == value:
            names = dict(zip(block.label_names, labels, strict=True))
            metric.add_sample(block.name, names, float(value))


def _add_buckets(metric: Metric, block: Histograms) -> None:
    exemplars = block.exemplars or [None] * len(block.labels)
    rows = zip(block.labels, block.bounds, block.counts, block.sums, exemplars, strict=True)
    for labels, bounds, counts, total, marks in rows:
        names = dict(zip(block.label_names, labels, strict=True))
        below = 0
        for i, (le, count) in enumerate(
            zip([*map(bound_label, bounds), "+Inf"], counts, strict=True)
        ):
            below += int(count)
            mark = (marks or {}).get(i)
            exemplar = mark and Exemplar(dict(exemplar_labels(mark)), mark.value, mark.timestamp)
            sample = {**names, "le": le}
            metric.add_sample(f"{block.name}_bucket", sample, below, exemplar=exemplar or None)
        if has_sum(bounds):
            metric.add_sample(f"{block.name}_count", names, below)
            metric.add_sample(f"{block.name}_sum", names, total)


_THREADS = Threads("scrapes", 2)


class MetricsApp:
    """ASGI app that answers a scrape, rendered in a thread off the event loop."""

    def __init__(self, source: Source, on_fault: OnFault, token: str | None = None) -> None:
        """Answer with what the source gives, or where it fails with the reason, and tell of it."""
        self._source = source
        self._on_fault = on_fault
        self._token = token
        self._lock = threading.Lock()
        self._expositions = {is_open: Exposition(is_open) for is_open in (False, True)}
        self._packed: tuple[bytes, bytes] = (b"", zlib.compress(b""))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("use GET\n", 405, {"Allow": "GET, HEAD"})
        if not is_authorized(request, self._token):
            return PlainTextResponse(
                "a bearer token is needed\n", 401, {"WWW-Authenticate": "Bearer"}
            )
        is_open_metrics = _is_asked_for("application/openmetrics-text", request, "accept")
        takes_gzip = _is_asked_for("gzip", request, "accept-encoding")
        try:
            body = await _THREADS.run(self._render, is_open_metrics, takes_gzip)
        except Exception as error:  # noqa: BLE001 - any fault: it is the user's server that we are in
            self._on_fault(error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return PlainTextResponse(f"the scrape failed: {reason:.300}\n", 500)
        headers = {
            "Content-Type": self._expositions[is_open_metrics].content_type,
            "Vary": "Accept, Accept-Encoding",
        }
        if takes_gzip:
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    def _render(self, is_open_metrics: bool, takes_gzip: bool) -> bytes:
        pace = Pace()
        with self._lock:
            exposition = self._expositions[is_open_metrics]
            body = exposition.render(families(self._source(pace)), pace)
            return self._pack(body) if takes_gzip else body

    def _pack(self, body: bytes) -> bytes:
        if self._packed[0] != body:
            # The fastest level: a scrape is read once, on the same network, and very repetitive.
            packer = zlib.compressobj(1, wbits=31)
            self._packed = (body, packer.compress(body) + packer.flush())
        return self._packed[1]


def _is_asked_for(name: str, request: Request, header: str) -> bool:
    """Return whether a header names something, other than with `q=0`, which is to refuse it."""
    parts = request.headers.get(header, "").lower().split(",")
    return any(name in part and not re.search(r";\s*q=0(\.0*)?\s*(;|$)", part) for part in parts)


def is_authorized(request: Request, token: str | None) -> bool:
    """Return whether a request carries the bearer token, compared in constant time."""
    if token is None:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("utf-8", "replace"), token.encode()
    )
