"""Neither interceptor nor proxy changes an RPC; it counts as it ended, in all kinds of servers."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from mlmon_exporter import Monitor, MonitorInterceptor, Reference
from mlmon_exporter.formats.oip_grpc import head
from mlmon_exporter.sources.grpc.conversation import METHODS, SERVICE, STREAMED
from mlmon_exporter.sources.proxy.address import Address
from mlmon_exporter.sources.proxy.listening import listening
from mlmon_exporter.sources.proxy.relay import Relay
from tests.e2e.servers import wait_until
from tests.formats import oip_messages as oip

UNARY = f"{SERVICE}/ModelInfer"
OTHER = f"{SERVICE}/ServerLive"
COUNTED = ("model", "route", "status", "outcome")


def asked(*values: float, id: str = "") -> bytes:  # noqa: A002 - the protocol's word
    return oip.request([oip.tensor("x", "FP64", [len(values)], values)], id=id)


def answer_to(request: bytes) -> bytes:
    """The model: it answers the length of the request."""
    return oip.response([oip.tensor("y", "INT64", [1], [len(request)])], id="r")


def answers_to(request: bytes, answer: bytes) -> list[bytes]:
    """All answers to one request of a stream: to one that asks so, as Triton's decoupled models."""
    if b"decoupled" not in request:
        return [answer]
    tensors = [oip.tensor("y", "INT64", [1], [i]) for i in (10, 20, 30)]
    return [
        oip.streamed(oip.response([each], id=head(request).id, is_last=each is tensors[-1]))
        for each in tensors
    ]


class Faults:
    """What the requests of the tests ask for, by their first bytes."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.has_left = threading.Event()
        self.is_told = False
        """The server itself says when the client has left."""

    def sync(self, request: bytes, context: Any) -> bytes:
        if request == b"abort":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad")
        if request == b"raise":
            raise RuntimeError("the app's")
        if request == b"code":
            context.set_code(grpc.StatusCode.UNAVAILABLE)
        if request == b"wait":
            # grpc.aio takes callbacks of handlers that are no coroutines, and calls none.
            self.is_told = type(context).__module__ == "grpc._server"
            if self.is_told:
                context.add_callback(self.has_left.set)
            self.is_reached.set()
            self.has_left.wait(30)
        if request == b"metadata":
            context.set_trailing_metadata((("x-own", "1"), *context.invocation_metadata()))
        return answer_to(request)

    async def aio(self, request: bytes, context: Any) -> bytes:
        if request == b"abort":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad")
        if request == b"wait":
            self.is_reached.set()
            await asyncio.sleep(60)
        return self.sync(request, context)


def handlers(kind: str, faults: Faults) -> grpc.GenericRpcHandler:
    def sync_stream(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield from answers_to(request, faults.sync(request, context))

    async def aio_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            for each in answers_to(request, await faults.aio(request, context)):
                yield each

    async def reader_and_writer(requests: AsyncIterator[bytes], context: Any) -> None:
        async for request in requests:
            for each in answers_to(request, await faults.aio(request, context)):
                await context.write(each)

    unary: Callable[..., Any] = faults.aio if kind.startswith("aio") else faults.sync
    stream = {"aio": aio_stream, "aio writer": reader_and_writer}.get(kind, sync_stream)
    return grpc.method_handlers_generic_handler(
        SERVICE.strip("/"),
        {
            "ModelInfer": grpc.unary_unary_rpc_method_handler(unary),
            "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(stream),
            "ServerLive": grpc.unary_unary_rpc_method_handler(unary),
        },
    )


class Served:
    """A server of a kind, with a monitor or without."""

    def __init__(self, port: int, faults: Faults, monitor: Monitor | None) -> None:
        self.port = port
        self.faults = faults
        self.monitor = monitor
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def unary(self, request: bytes, method: str = UNARY, **options: Any) -> Any:
        """Response, or status code and its text; and the trailing metadata."""
        call = self.channel.unary_unary(method)
        try:
            response, done = call.with_call(request, timeout=options.pop("timeout", 60), **options)
        except grpc.RpcError as error:
            done = error
            response = (error.code(), error.details())
        return response, [tuple(pair) for pair in done.trailing_metadata()]

    def stream(self, requests: list[bytes], **options: Any) -> Any:
        responses = []
        try:
            call = self.channel.stream_stream(STREAMED)(iter(requests), timeout=60, **options)
            for response in call:
                responses.append(response)  # noqa: PERF402 - those before an error count
        except grpc.RpcError as error:
            return responses, error.code(), error.details()
        return responses, call.code(), call.details()

    def counted(self) -> dict[tuple[str, ...], float]:
        assert self.monitor is not None
        self.monitor.flush()
        return {
            tuple(reading.labels[name] for name in COUNTED): reading.value
            for reading in self.monitor.readings()
            if reading.name == "mlmon_requests_total" and reading.value
        }

    def expect(self, expected: dict[tuple[str, ...], float]) -> None:
        """Await these counts: a proxy hears of an answer after the client has it."""

        def are_counted() -> bool:
            gc.collect()  # an RPC that the server has dropped counts when Python finds it
            return self.counted() == expected

        with suppress(TimeoutError):
            wait_until(are_counted)
        assert self.counted() == expected

    def total(self, name: str) -> float:
        assert self.monitor is not None
        self.monitor.flush()
        return sum(r.value for r in self.monitor.readings() if r.name == name)


INTERCEPTED = ("threads", "aio", "aio writer", "aio, sync handlers")
KINDS = (*INTERCEPTED, "proxy: threads", "proxy: aio")


@contextmanager
def served(kind: str, monitor: Monitor | None) -> Iterator[Served]:
    """A server, watched by its interceptor or by a proxy before it."""
    if kind in INTERCEPTED:
        with intercepted(kind, monitor) as server:
            yield server
        return
    with intercepted(kind.removeprefix("proxy: "), None) as server, _loop() as run:

        async def relay() -> tuple[Relay, int]:
            address = Address("127.0.0.1", server.port)
            listen = monitor.attach(listening) if monitor is not None else lambda: None
            made = Relay(address, listen, lambda fault: None)
            return made, await made.start(Address("127.0.0.1", 0))

        made, port = run(relay())
        through = Served(port, server.faults, monitor)
        yield through
        through.channel.close()
        run(made.stop(0))


@contextmanager
def intercepted(kind: str, monitor: Monitor | None) -> Iterator[Served]:
    interceptors = [MonitorInterceptor(monitor)] if monitor is not None else []
    faults = Faults()
    kind_of_handlers = "sync" if kind == "aio, sync handlers" else kind
    generic = handlers(kind_of_handlers, faults)
    if kind == "threads":
        with ThreadPoolExecutor(8) as pool:
            server = grpc.server(pool, interceptors=interceptors)
            server.add_generic_rpc_handlers((generic,))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            yield Served(port, faults, monitor)
            faults.has_left.set()
            server.stop(None).wait()
        return
    with _loop() as run:

        async def start() -> tuple[Any, int]:
            server = grpc.aio.server(interceptors=interceptors)
            server.add_generic_rpc_handlers((generic,))
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            return server, port

        server, port = run(start())
        yield Served(port, faults, monitor)
        faults.has_left.set()
        run(server.stop(None))


@contextmanager
def _loop() -> Iterator[Callable[[Any], Any]]:
    """A loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "m.json"
    outputs = [i % 50 for i in range(100)]
    columns = {"x": [float(i) for i in range(100)], "y": outputs, "truth": outputs}
    Reference.build(columns, predictions="y", ground_truth="truth", task="regression").save(path)
    return path


@pytest.fixture
def monitor(reference: Path) -> Iterator[Monitor]:
    with Monitor(model="m", reference=reference) as made:
        yield made


REQUESTS = [
    asked(1.0, 2.0), asked(*range(10_000)), b"", b"no protobuf", b"abort", b"raise", b"code",
    b"metadata",
]  # fmt: skip


def test_clients_get_what_they_get_without_us(kind: str, monitor: Monitor) -> None:
    """Responses, codes, their texts, metadata; unary and streamed, also of other methods."""
    options: Any = {"metadata": (("x-prediction-id", "abc"), ("a-bin", b"\x00\xff"))}
    got = []
    for each in (None, monitor):
        with served(kind, each) as server:
            unary = [server.unary(request, **options) for request in REQUESTS]
            other = server.unary(b"abort", OTHER)
            missing = server.unary(b"", f"{SERVICE}/NoSuch")
            streams = [server.stream(REQUESTS[:4]), server.stream([])]
            if kind != "aio, sync handlers":  # there an abort races with what was written before
                failing = [REQUESTS[0], b"abort"], [REQUESTS[0], b"raise"], [b"code"]
                streams += [server.stream(requests, **options) for requests in failing]
            got.append((unary, other, missing, streams))
    assert got[0] == got[1]


def test_each_rpc_counts_as_it_ended(kind: str, monitor: Monitor) -> None:
    with served(kind, monitor) as server:
        for request in REQUESTS:
            server.unary(request)
        server.expect(
            {
                ("m", UNARY, "200", "ok"): 5,
                ("m", UNARY, "400", "client_error"): 1,
                ("m", UNARY, "500", "server_error"): 1,
                ("m", UNARY, "503", "server_error"): 1,
            }
        )


def test_rows_and_sums_are_the_ones_sent(kind: str, monitor: Monitor) -> None:
    with served(kind, monitor) as server:
        for i in range(20):
            server.unary(asked(float(i)))
        server.stream([asked(float(i)) for i in range(20, 50)])
        server.expect({("m", UNARY, "200", "ok"): 20, ("m", STREAMED, "200", "ok"): 30})
        assert server.total("mlmon_prediction_rows_total") == 50
        assert server.total("mlmon_feature_value_sum") == sum(range(50))


def test_each_answer_of_a_decoupled_model_is_read(kind: str, monitor: Monitor) -> None:
    requests = [asked(1.0, 2.0, 3.0, id=f"decoupled{i}") for i in range(10)]
    with served(kind, monitor) as server:
        answers, *_ = server.stream(requests)
        assert answers == [answer for request in requests for answer in answers_to(request, b"")]
        server.expect({("m", STREAMED, "200", "ok"): 10})
        assert server.total("mlmon_prediction_rows_total") == 30
        assert server.total("mlmon_prediction_value_sum") == 10 * (10 + 20 + 30)
        assert server.total("mlmon_output_token_seconds_count") == 10 * 2


def test_a_stream_that_fails_counts_its_last_request_as_failed(kind: str, monitor: Monitor) -> None:
    if kind == "aio, sync handlers":
        pytest.skip("there an abort races with what was written before")
    with served(kind, monitor) as server:
        server.stream([asked(1.0), b"abort"])
        server.stream([])
        server.expect(
            {("m", STREAMED, "200", "ok"): 1 + 1, ("m", STREAMED, "400", "client_error"): 1}
        )


@pytest.mark.flaky(reruns=2)  # gRPC may lose the race between a reset and an answer
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_client_that_cancels_has_left(kind: str, monitor: Monitor, method: str) -> None:
    if kind == "aio, sync handlers" and method == STREAMED:
        pytest.skip("grpc.aio leaves such a handler waiting for ever, with us or without")
    with served(kind, monitor) as server:
        if method == UNARY:
            call = server.channel.unary_unary(method).future(b"wait", timeout=60)
        else:
            call = server.channel.stream_stream(method)(iter([b"wait"]), timeout=60)
        server.faults.is_reached.wait(30)
        call.cancel()
        with suppress(grpc.RpcError, grpc.FutureCancelledError):
            next(call) if method == STREAMED else call.result()
        _after_leaving(server)
        server.expect({("m", method, "499", "disconnected"): 1})


def _after_leaving(server: Served) -> None:
    server.faults.has_left.wait(30 if server.faults.is_told else 0.2)
    server.faults.has_left.set()


def test_a_deadline_that_passes_is_no_client_that_left(kind: str, monitor: Monitor) -> None:
    with served(kind, monitor) as server:
        (code, _), _ = server.unary(b"wait", timeout=0.5)
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        _after_leaving(server)
        server.expect({("m", UNARY, "504", "server_error"): 1})


def test_a_bad_request_counts_where_the_server_cannot_read_it(monitor: Monitor) -> None:
    def refuse(data: bytes) -> Any:
        raise ValueError("no message")

    handler = grpc.unary_unary_rpc_method_handler(lambda r, c: b"", request_deserializer=refuse)
    generic = grpc.method_handlers_generic_handler(SERVICE.strip("/"), {"ModelInfer": handler})
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, interceptors=[MonitorInterceptor(monitor)])
        server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        made = Served(port, Faults(), monitor)
        assert made.unary(b"x")[0][0] is grpc.StatusCode.INTERNAL
        made.expect({("m", UNARY, "500", "server_error"): 1})
        server.stop(None).wait()


@pytest.mark.parametrize("kind", ["threads", "proxy: aio"])
def test_ground_truth_finds_a_prediction_by_metadata_or_by_its_id(
    kind: str, monitor: Monitor
) -> None:
    with served(kind, monitor) as server:
        server.unary(asked(1.0, id="body"))
        server.unary(asked(1.0, id="other"), metadata=(("x-prediction-id", "header"),))
        server.expect({("m", UNARY, "200", "ok"): 2})
        found = {i: monitor.observe_ground_truth(i, 1.0) for i in ("body", "header", "other")}
    assert found == {"body": "matched", "header": "matched", "other": "unknown"}


FAULTS = (
    "mlmon_exporter.core.counts.requests.RequestCounts.record",
    "mlmon_exporter.sources.model_routes.ModelRoutes.labels",
    "mlmon_exporter.sources.recorder.Recorder.begin",
    "mlmon_exporter.sources.recorder.Recorder.answer_begins",
    "mlmon_exporter.sources.recorder.Recorder.end",
    "mlmon_exporter.sources.grpc.conversation.head",
    "mlmon_exporter.sources.grpc.conversation.Conversation.asked",
    "mlmon_exporter.sources.grpc.conversation.Conversation.answered",
    "mlmon_exporter.sources.grpc.conversation.Conversation.ended",
)


@pytest.mark.parametrize("kind", ["threads", "aio", "proxy: aio"])
@pytest.mark.parametrize("where", FAULTS)
def test_a_fault_of_ours_is_never_seen(
    kind: str, where: str, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **named: Any) -> None:
        raise RuntimeError("a planted fault")

    expected = answer_to(asked(1.0))
    with served(kind, monitor) as server:
        with monkeypatch.context() as patch:
            patch.setattr(where, fail)
            for _ in range(2):
                assert server.unary(asked(1.0))[0] == expected
                assert server.stream([asked(1.0)])[0] == [expected]
        assert server.unary(asked(1.0))[0] == expected
        wait_until(lambda: monitor._in_flight == {})


def test_nothing_stays_of_rpcs_that_have_ended(kind: str, monitor: Monitor) -> None:
    with served(kind, monitor) as server:
        for request in REQUESTS:
            server.unary(request)
        server.stream(REQUESTS)
        wait_until(lambda: monitor._in_flight == {})
