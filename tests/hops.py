"""Hand-overs on the way of the data through a running app: `python -m tests.hops` prints them.

Rule. A step is a class, or the functions of a module, that data enter or leave from another module
of the package, or from outside. It is counted once, however often data come by. Data are what is
traced (the bytes of a body, the counts of a window), and what functions that hold data make of it
or keep. Not counted are: calls within a module; functions that only answer with a number, a text
or None; quantile digests, which hold the same rows beside the counts; and functions that return at
once, to the same module, beyond the first (the arithmetic of scores and thresholds is one step).

By this rule there were 20 steps in 18 files from the bytes of a request to the counts of bins, and
15 in 15 from there to the text of `/metrics`, before the package was parted into rooms. The request
that is traced has the form of one before it; the first of a form takes twice as many. The reference
has times: without, stretches of live traffic that stand in for them add one step and three.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, FunctionType
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import mlmon_exporter
from mlmon_exporter import Monitor, Reference, instrument
from mlmon_exporter.core.windows.tally import Tally

PACKAGE = f"{Path(mlmon_exporter.__file__).parent}/"
ASIDE = ("digests.py", "natural.py")
"""Files beside the way: the second has what the reference varies by, whatever the rows."""
MOST = 32
"""Members of a container that are looked at."""
GENERATOR = inspect.CO_GENERATOR | inspect.CO_COROUTINE

REQUEST = b'{"instances": [{"age": 41.5, "income": 30125.25}]}'
OTHER = b'{"instances": [{"age": 17.5, "income": 10125.5}]}'
ANSWER = b'{"predictions": [0.125]}'


@dataclass
class Way:
    """Steps in the order in which data left them: noun -> its functions."""

    steps: dict[str, list[str]] = field(default_factory=dict)

    @property
    def files(self) -> set[str]:
        """Files of all steps."""
        return {name.partition(":")[0] for names in self.steps.values() for name in names}


class _Visit:
    """A function that holds data while it runs."""

    __slots__ = ("keeper", "made", "stored")

    def __init__(self) -> None:
        self.keeper: object = None
        """The object that may keep the data it was given."""
        self.made = False
        """It has handed data to, or had them from, another module."""
        self.stored = False
        """Something below it has kept data."""


class Trace:
    """Follows data through the functions of the package, in all threads that start meanwhile."""

    def __init__(self, *sources: object) -> None:
        """Follow these: bytes, or all objects of a type that have rows."""
        self.way = Way()
        self._types = tuple(each for each in sources if isinstance(each, type))
        self._bodies = frozenset(each for each in sources if isinstance(each, bytes))
        self._data: dict[int, object] = {}
        self._visits: dict[FrameType, _Visit] = {}

    def __enter__(self) -> Way:
        threading.setprofile(self._event)
        sys.setprofile(self._event)
        return self.way

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _event(self, frame: FrameType, event: str, result: Any) -> None:
        if not _is_ours(frame):
            return
        caller = frame.f_back if frame.f_back and _is_ours(frame.f_back) else None
        if event == "call":
            self._enter(frame, caller)
        elif event == "return":
            self._leave(frame, caller, result)

    def _enter(self, frame: FrameType, caller: FrameType | None) -> None:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        given = {name: value for name, value in frame.f_locals.items() if name in names}
        owner = given.pop("self", None)
        is_given = any(map(self._is_data, given.values()))
        # What is newly made where data are is data.
        if is_given or (caller in self._visits and any(map(_is_container, given.values()))):
            visit = self._visits.setdefault(frame, _Visit())
            visit.keeper = None if code.co_flags & GENERATOR else owner
        elif id(owner) in self._data:
            self._visits.setdefault(frame, _Visit())

    def _leave(self, frame: FrameType, caller: FrameType | None, result: Any) -> None:
        if self._is_data(result) or (frame in self._visits and _is_material(result)):
            self._mark(result)
            visit = self._visits.setdefault(frame, _Visit())
            if caller is not None:
                self._visits.setdefault(caller, _Visit())
            self._step(frame, caller, visit)
            return
        visit = self._visits.get(frame, _Visit())
        if visit.stored or (visit.keeper is not None and result is None):
            if visit.keeper is not None:
                self._data[id(visit.keeper)] = visit.keeper
            self._step(frame, caller, visit)
            for each in self._above(caller):
                each.stored = True

    def _step(self, frame: FrameType, caller: FrameType | None, visit: _Visit) -> None:
        file = frame.f_code.co_filename.removeprefix(PACKAGE)
        of = caller.f_code.co_filename.removeprefix(PACKAGE) if caller else ""
        if file == of or file.endswith(ASIDE):
            return
        name = frame.f_code.co_qualname.partition(".<locals>")[0]
        noun = name.partition(".")[0] if "." in name else ""
        step = f"{file}: {noun}" if noun or visit.made else f"arithmetic of {of}"
        functions = self.way.steps.setdefault(step, [])
        if f"{file}: {name}" not in functions:
            functions.append(f"{file}: {name}")
        for each in self._above(caller):
            each.made = True

    def _above(self, frame: FrameType | None) -> Iterator[_Visit]:
        while frame is not None:
            if frame in self._visits:
                yield self._visits[frame]
            frame = frame.f_back

    def _mark(self, value: Any, depth: int = 2) -> None:
        self._data[id(value)] = value
        for member in _members(value) if depth else ():
            if _is_container(member):
                self._mark(member, depth - 1)

    def _is_data(self, value: Any, depth: int = 3) -> bool:
        if isinstance(value, self._types):
            return bool(getattr(value, "rows", True))
        if id(value) in self._data or (isinstance(value, bytes) and value in self._bodies):
            return True
        return depth > 0 and any(self._is_data(each, depth - 1) for each in _members(value))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(PACKAGE)


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [*islice(value.values(), MOST)]
    return [*islice(value, MOST)] if isinstance(value, list | tuple | deque) else []


def _is_container(value: Any) -> bool:
    """Return whether a value is one that functions gather data in."""
    if isinstance(value, tuple):
        return any(map(_is_container, value[:MOST]))
    return isinstance(value, list | dict | deque | bytes | bytearray | np.ndarray | Iterator)


def _is_material(value: Any) -> bool:
    """Return whether a value can hold data: it is no number, text, function, nor empty."""
    if isinstance(value, int | float | str | np.generic | type | FunctionType | None):
        return False
    if isinstance(value, tuple):
        return any(map(_is_material, value[:MOST]))
    return not isinstance(value, list | dict) or bool(value)


# --- What is traced ---


def request_way() -> Way:
    """Return the way of one row from the bytes of both bodies to the counts of bins.

    Its request has the form of one that came before it, as nearly all have.
    """
    with TemporaryDirectory() as folder:
        app, monitor = served(Path(folder))
        asyncio.run(call(app, "POST", "/predict", OTHER))
        monitor.close()  # the next request starts a thread, which is traced
        with Trace(REQUEST, ANSWER) as way:
            asyncio.run(call(app, "POST", "/predict", REQUEST))
            monitor.flush()
            monitor.models["m"].versions.drain()
        monitor.close()
    return way


def scrape_way() -> Way:
    """Return the way from the counts of bins to the bytes of `/metrics`."""
    with TemporaryDirectory() as folder:
        _, monitor = served(Path(folder))
    rows = np.arange(500.0)
    monitor.observe({"age": rows, "income": rows}, rows / 500)
    monitor.models["m"].versions.drain()
    with Trace(Tally) as way:
        asyncio.run(call(monitor.metrics_app(), "GET", "/metrics"))
    monitor.close()
    return way


def served(folder: Path) -> tuple[Starlette, Monitor]:
    async def predict(request: Request) -> Response:
        await request.body()
        return Response(ANSWER, media_type="application/json")

    rows = np.arange(1000.0)
    columns = {"age": rows % 90, "income": rows * 60, "score": rows % 7 / 7, "at": rows * 3600}
    path = folder / "m.reference.json"
    built = Reference.build(columns, predictions="score", time_column="at", model="m")
    built.save(path)
    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    return app, instrument(app, model="m", reference=path)


async def call(app: Any, method: str, path: str, body: bytes = b"") -> None:
    """Send a request whose body stays the same object."""
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": body}]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }

    async def receive() -> Any:
        return messages.pop()

    async def send(message: Any) -> None:
        """Take the answer."""

    await app(scope, receive, send)


def main() -> None:
    """Print both ways."""
    for title, way in {
        "From the bytes of a request to the counts of bins": request_way(),
        "From the counts of bins to the text of /metrics": scrape_way(),
    }.items():
        print(f"{title}: {len(way.steps)} steps in {len(way.files)} files")
        for number, functions in enumerate(way.steps.values(), 1):
            print(f"{number:4} {', '.join(functions)}")


if __name__ == "__main__":
    main()
