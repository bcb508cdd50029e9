"""One RPC on its way through a Python server: notes taken in passing, counted when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

import grpc

from mlmon_exporter.sources.sink import Sink

from .conversation import HEAD_BYTES, INTERNAL, OK, UNIMPLEMENTED, UNKNOWN, Conversation, Part

Handler = Any
"""Server of a method: `grpc.RpcMethodHandler`, whose attributes its stubs do not know."""
Behaviour = Callable[..., Any]

_MAKERS = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}
"""(requests, responses are streamed) -> name of the method in a handler, and its maker."""
_SLACK_SECONDS = 0.05
"""A client's reset at its deadline may reach the server so long before its own clock says so."""


class Call:
    """One RPC: its handler stands in for the app's, and passes on what that gives and raises.

    It asks the context alone, without callbacks: those would keep the RPC alive in a cycle.
    """

    def __init__(self, sink: Sink, conversation: Conversation) -> None:
        self._sink = sink
        self._conversation = conversation
        self._limit = sink.max_body_bytes
        self._context: Any = None

    def __del__(self) -> None:
        """Count an RPC that the server has dropped: its client had left."""
        self._end(OK, is_cut=True)

    def handler(self, app: Handler | None) -> Handler | None:
        """Return what serves the RPC in place of the app's handler; None where it has none."""
        if app is None:
            self._end(UNIMPLEMENTED)
            return None
        name, make = _MAKERS[bool(app.request_streaming), bool(app.response_streaming)]
        behaviour: Behaviour = getattr(app, name)
        if getattr(behaviour, "experimental_non_blocking", False):  # answers by a callback
            self._conversation.forget()
            return app
        self._is_streaming = bool(app.response_streaming)
        return make(
            self._watched(behaviour),
            self._deserializer(app.request_deserializer),
            self._serializer(app.response_serializer),
        )

    def _deserializer(self, deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
        def watched(data: bytes) -> Any:
            self._note(self._conversation.asked, data)
            try:
                return data if deserialize is None else deserialize(data)
            except BaseException:
                self._end(INTERNAL)
                raise

        return watched

    def _serializer(self, serialize: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
        def watched(message: Any) -> bytes:
            try:
                data: bytes = message if serialize is None else serialize(message)
            except BaseException:
                self._end(INTERNAL)
                raise
            self._note(self._answered, data)
            return data

        return watched

    def _answered(self, part: Part) -> None:
        try:
            if self._is_active():  # else nobody gets it
                self._conversation.answered(part)
        finally:
            if not self._is_streaming:
                self._end(OK)

    def _note(self, take: Callable[[Part], None], data: bytes) -> None:
        try:
            size = len(data)
            kept = size if size <= self._limit else min(size - 1, HEAD_BYTES)
            take(Part(bytes(data[:kept]), size))
        except Exception as fault:  # noqa: BLE001 - the RPC goes on
            self._sink.fail(fault)

    def _watched(self, behaviour: Behaviour) -> Behaviour:
        """Return a function of the same kind: gRPC asks of what kind it is."""
        if isasyncgenfunction(behaviour):

            @wraps(behaviour)
            async def generate(request: Any, context: Any) -> AsyncIterator[Any]:
                self._context = context
                async with aclosing(behaviour(request, context)) as responses:
                    with _Watch(self):
                        async for response in responses:
                            yield response

            return generate
        if iscoroutinefunction(behaviour):

            @wraps(behaviour)
            async def answer(request: Any, context: Any) -> Any:
                self._context = context
                with _Watch(self):
                    return await behaviour(request, context)

            return answer

        @wraps(behaviour)
        def serve(request: Any, context: Any) -> Any:
            context = self._context = context if hasattr(context, "code") else _Context(context)
            if self._is_streaming:
                return _Responses(behaviour, request, context, self)
            with _Watch(self):
                return behaviour(request, context)

        return serve

    def returned(self) -> None:
        """Note that the app has nothing more to say."""
        if self._is_streaming or self._code(OK) != OK:
            self._end(OK)

    def raised(self, error: BaseException) -> None:
        """Note what came out of the app."""
        is_cut = isinstance(error, (asyncio.CancelledError, GeneratorExit))
        self._end(UNKNOWN, is_cut=is_cut)

    def _end(self, code: int, *, is_cut: bool = False) -> None:
        """Count the RPC, once.

        Args:
            code: Its status code, if the context has none.
            is_cut: It was cancelled.
        """
        try:
            is_cut = is_cut or not self._is_active()
            is_late = is_cut and self._is_late()
            self._conversation.ended(self._code(code), has_left=is_cut, is_late=is_late)
        except Exception as fault:  # noqa: BLE001 - the RPC ends as it does
            self._conversation.forget()
            self._sink.fail(fault)

    def _code(self, default: int) -> int:
        get = getattr(self._context, "code", None)
        code = get() if get is not None else None
        if code is None:
            return default
        number: int = code.value[0] if isinstance(code, grpc.StatusCode) else int(code)
        return number or default

    def _is_active(self) -> bool:
        ask = getattr(self._context, "is_active", None)
        return ask is None or bool(ask())

    def _is_late(self) -> bool:
        left = self._context.time_remaining() if self._context is not None else None
        return left is not None and left < _SLACK_SECONDS


class _Context:
    """The context that `grpc.aio` gives to functions that are no coroutines; it tells its code."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._code: Any = None

    def code(self) -> Any:
        return self._code

    def set_code(self, code: Any) -> None:
        self._inner.set_code(code)
        self._code = code

    def abort(self, code: Any, *args: Any, **named: Any) -> None:
        self._code = code
        self._inner.abort(code, *args, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Watch:
    """Reports to a call how a block ended; what it raised goes on."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._call.returned()
        else:
            self._call.raised(error)


class _Responses:
    """A streamed answer of a function, one at a time."""

    def __init__(self, behaviour: Behaviour, request: Any, context: Any, call: Call) -> None:
        with _Ending(call):
            self._responses: Iterator[Any] = behaviour(request, context)
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with _Ending(self._call):
            return next(self._responses)


class _Ending(_Watch):
    """Reports only what is raised; that a stream has no more is how it ends."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StopIteration):
            self._call.returned()
        elif error is not None:
            self._call.raised(error)
