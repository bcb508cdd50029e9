"""The shape of the package: imports run one way between rooms, and importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest

import mlmon_exporter
from mlmon_exporter.assets.root import assets_root
from mlmon_exporter.cli import NEEDED

from .rooms import (
    circles,
    floors,
    house_graph,
    imported_modules,
    module_graph,
    module_name,
    room_graph,
    room_of,
)

PACKAGE = Path(mlmon_exporter.__file__).parent

ROOMS: Mapping[str, str] = {
    # words of the house
    "core.coerce": "",
    "core.keys": "",
    "core.labels": "",
    "core.records": "",
    "core.settings": "",
    # the core, from its foot up
    "core": "",
    "core.stats": "core.coerce",
    "core.profile": "core.coerce core.labels core.records core.settings core.stats",
    "core.counts": "core.labels core.records",
    "core.derived": "core.coerce core.profile",
    "core.windows": "core.coerce core.profile core.settings core.stats",
    "core.drift": "core.labels core.profile core.records core.settings core.stats core.windows",
    "core.outcomes": "core.coerce core.counts core.derived core.drift core.keys core.labels "
    "core.profile core.records core.settings core.stats core.windows",
    "core.versions": "core.counts core.derived core.drift core.keys core.outcomes core.records "
    "core.settings core.windows",
    "core.model": "core.counts core.derived core.drift core.outcomes core.profile core.records "
    "core.settings core.versions",
    # what stands around it
    "config": "",
    "runtime": "",
    "formats": "core",
    "metrics": "core runtime",
    "reference": "core formats config",
    "sources": "core formats config runtime",
    "intake": "core formats config runtime",
    "state": "core config runtime",
    "endpoints": "core formats intake metrics runtime state",
    "page": "assets core endpoints metrics runtime",
    "assets": "core metrics",
    "monitor": "config core endpoints formats intake metrics reference runtime sources state",
    "__init__": "config core formats monitor reference state",
    "cli": "assets config core endpoints formats intake metrics monitor reference sources",
}
"""Room -> the rooms that it may import; `core` stands for all rooms within."""
LAZY = {
    "endpoints -> endpoints": "feedback is read with pydantic models, by those who have a token",
    "monitor -> metrics": "a registry of their own, and meters once there is a monitor",
    "monitor -> monitor": "what reads and counts is loaded when there is a monitor",
    "monitor -> page": "the page is loaded when somebody looks at it",
    "reference -> reference": "the extra pyarrow, which readers of data files import",
    "cli -> .": "a command loads what it needs, so that `--help` is quick",
}
"""Imports within functions, and why; those of extras need no reason."""

TESTED_ELSEWHERE: Mapping[str, str] = {
    "assets/root.py": "assets/test_bundle.py",
    "assets/rules": "assets/rules/test_alerts.py",  # cases that page, and that do not
    "cli/commands/data_options.py": "cli/commands/test_build_reference.py",
    "cli/commands/demo.py": "cli/demo/test_run.py",
    "cli/commands/proxy.py": "e2e/test_proxy.py",
    "cli/commands/serve.py": "cli/test_server.py",
    "cli/commands/web.py": "cli/commands/test_send_alert.py",
    "cli/demo": "cli/demo/test_run.py",
    "cli/timeline.py": "cli/commands/test_backtest.py",
    "core/outcomes/profile.py": "core/outcomes/test_reference.py",
    "core/outcomes/scored_rows.py": "core/outcomes/test_quality.py",
    "core/windows/tallier.py": "core/windows/test_buffer.py",
    "monitor/interceptor.py": "sources/grpc/test_interceptor.py",
    "page/backtest.py": "cli/commands/test_backtest.py",
    "page/ranking.py": "page/test_view.py",
    "reference/data/captures.py": "reference/data/test_lines.py",
    "reference/data/registry.py": "reference/data/test_files.py",
    "reference/compare_files.py": "cli/commands/test_compare.py",
    "reference/log_files.py": "cli/commands/test_backtest.py",
    "reference/passes.py": "reference/test_reference.py",
    "reference/roles.py": "reference/test_from_files.py",
    "reference/warnings.py": "cli/commands/test_build_reference.py",
    "sources/asgi/notes.py": "sources/asgi/test_call.py",
    "sources/grpc": "sources/grpc/test_interceptor.py",
    "sources/proxy/answers.py": "sources/proxy/test_http1.py",
    "sources/proxy/address.py": "sources/proxy/test_relay.py",
    "sources/proxy/frames.py": "sources/proxy/test_http2.py",
    "sources/proxy/requests.py": "sources/proxy/test_http1.py",
    "sources/proxy/turns.py": "sources/proxy/test_http1.py",
    "sources/sink.py": "sources/asgi/test_middleware.py",
    "sources/turn.py": "sources/proxy/test_http1.py",
}
"""Module without a test of its name, or folder of such -> the test that it has."""

LONG = {
    "cli/commands/build_reference.py: build_reference": "an option of a command is a parameter",
    "reference/reference.py: build": "each parameter says which part a column plays",
}
"""Functions of over `MOST_LINES` lines, and why."""
MOST_LINES, MOST_LINES_OF_FILE = 60, 350
NOT_OPENING = frozenset("What Whether How Which Where Who When".split())
"""Words that open no docstring: it says what the thing is or does."""

# No I/O, clock, logging or randomness of their own; `threading` is here for its locks.
PURE = frozenset(
    """__future__ abc array bisect collections contextlib copy dataclasses datetime decimal
    enum fractions functools hashlib heapq itertools json math numbers operator re reprlib
    statistics string struct sys textwrap threading types typing unicodedata warnings
    zlib""".split()
)
OUTSIDE: Mapping[str, frozenset[str]] = {
    "core": PURE | {"fastdigest", "numpy", "tdigest"},
    "formats": PURE
    | {
        *("base64", "binascii", "csv", "email", "gzip", "io", "numpy", "orjson", "urllib.parse"),
        "gc",  # for is_tracked, which tells what cannot hold a container
        "importlib",  # for decoders that may be installed
        "zipfile",
    },
}
"""Room -> what it may import that is not ours; other rooms may import all but the below."""
PROMETHEUS_CLIENT = frozenset({"metrics/batch.py", "metrics/collector.py", "metrics/process.py"})
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
EFFECTS = frozenset(
    """basicConfig connect getenv mkdir open print read_bytes read_text register start write_bytes
    write_text""".split()
)
GUARDS = {"TYPE_CHECKING", "__name__ == '__main__'"}


def problems(package: Path) -> list[str]:
    """What is wrong with the shape of a package, as `file: what`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"), name)
        if room_of(module_name(package, path)) not in ROOMS:
            found.append(f"{name}: a room without a row in ROOMS")
            continue
        found += [f"{name}: imports {what}" for what in forbidden_imports(package, path, tree)]
        found += [f"{name}: on import, {effect}" for effect in import_effects(tree)]
        if VAGUE_NAMES & set(Path(name).with_suffix("").parts):
            found.append(f"{name}: says nothing by its name")
    return found


def forbidden_imports(package: Path, path: Path, tree: ast.Module) -> Iterator[str]:
    """Give the modules that a file imports and its room's rows of the tables do not allow."""
    room = room_of(module_name(package, path))
    kind = room.split(".")[0]
    for module, is_lazy in imported_modules(package, path, tree):
        if is_within(module, {package.name}):
            other = room_of(module)
            is_allowed = is_lazy_allowed(room, other) if is_lazy else is_room_allowed(room, other)
        elif kind in OUTSIDE:
            is_allowed = is_within(module, OUTSIDE[kind])
        else:
            is_file = path.relative_to(package).as_posix() in PROMETHEUS_CLIENT
            is_allowed = is_file or not is_within(module, {"prometheus_client"})
        if not is_allowed:
            yield f"{module} in a function" if is_lazy and package.name in module else module


def is_room_allowed(room: str, other: str) -> bool:
    is_public = other == "__init__" and room.split(".", maxsplit=1)[0] not in OUTSIDE
    return room == other or is_public or is_within(other, ROOMS[room].split())


def is_lazy_allowed(room: str, other: str) -> bool:
    return bool(LAZY.keys() & {f"{room} -> {other}", f"{room} -> ."})


def is_within(module: str, allowed: Collection[str]) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in allowed)


def import_effects(tree: ast.Module) -> Iterator[str]:
    """What happens when a module is imported, besides definitions."""
    for node in executed_on_import(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield f"calls {ast.unparse(node.value.func)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in EFFECTS:
            yield f"calls {ast.unparse(node.func)}"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ":
            yield "reads os.environ"


def executed_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree that run when its module is imported."""
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        children = iter([*node.decorator_list, *node.args.defaults])
    if isinstance(node, ast.If) and ast.unparse(node.test) in GUARDS:
        children = iter(node.orelse)
    for child in children:
        yield child
        yield from executed_on_import(child)


def test_the_package_has_the_shape_that_was_agreed() -> None:
    assert problems(PACKAGE) == []


def test_no_two_modules_import_each_other() -> None:
    assert circles(module_graph()) == []


def test_no_two_rooms_import_each_other() -> None:
    assert circles(room_graph(module_graph())) == []


def test_the_longest_chain_of_rooms_is_eight() -> None:
    rooms = room_graph(module_graph())
    of_core = {room: others for room, others in rooms.items() if room.startswith("core.")}
    assert max(floors(house_graph(rooms)).values()) <= 8
    assert max(floors(of_core).values()) <= 8


def test_every_row_is_a_room() -> None:
    rooms = {*room_graph(module_graph())}
    assert {*ROOMS} == rooms
    assert all(is_within(other, rooms) for row in ROOMS.values() for other in row.split())


def test_the_test_of_a_module_is_found_by_its_name() -> None:
    tests = Path(__file__).parent
    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")]
    untested = [
        file.as_posix()
        for file in sorted(files)
        if not file.name.startswith("__")
        and not (tests / file.parent / f"test_{file.name}").exists()
    ]
    known = {*TESTED_ELSEWHERE}
    assert [f for f in untested if not {f, f.rpartition("/")[0]} & known] == []
    used = {name for file in untested for name in (file, file.rpartition("/")[0])}
    assert known <= used, "a module has its own test now: take its row out of TESTED_ELSEWHERE"
    assert all((tests / test).is_file() for test in TESTED_ELSEWHERE.values())


def test_no_file_and_no_function_is_long() -> None:
    texts = {p.relative_to(PACKAGE).as_posix(): p.read_text() for p in PACKAGE.rglob("*.py")}
    assert [f for f, text in texts.items() if text.count("\n") > MOST_LINES_OF_FILE] == []
    functions = {
        f"{file}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name for name, lines in functions.items() if lines > MOST_LINES} == LONG.keys()


def test_docstrings_say_what_a_thing_is_or_does() -> None:
    opening = [
        f"{path.relative_to(PACKAGE)}: {node.value.value.splitlines()[0]}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and node.value.value.split()[:1]
        and node.value.value.split()[0] in NOT_OPENING
    ]
    assert opening == []


FAULTS = {
    "core/stats/clock.py": ("import time", "imports time"),
    "core/stats/lazy.py": ("def f():\n    from os import path", "imports os"),
    "core/stats/up.py": ("from ...formats import json", "imports mlmon_exporter.formats"),
    "core/labels.py": ("from . import coerce", "imports mlmon_exporter.core.coerce"),
    "core/stats/edge.py": ("from ... import config", "imports mlmon_exporter.config"),
    "core/stats/absolute.py": ("import mlmon_exporter.state", "imports mlmon_exporter.state"),
    "core/drift/a.py": ("import prometheus_client.core", "imports prometheus_client.core"),
    "formats/log.py": ("import logging", "imports logging"),
    "formats/edge.py": ("from ..config import Config", "imports mlmon_exporter.config"),
    "formats/fetch.py": ("from urllib import request", "imports urllib.request"),
    "runtime/b.py": ("from prometheus_client import Counter", "imports prometheus_client"),
    "state/late.py": (
        "def f():\n    from mlmon_exporter.core import labels",
        "imports mlmon_exporter.core.labels in a function",
    ),
    "annex/new.py": ("", "a room without a row in ROOMS"),
    "state/reads.py": ("TEXT = open('a').read()", "on import, calls open"),
    "state/reads_in_class.py": (
        "class A:\n    text = Path('a').read_text()",
        "on import, calls Path('a').read_text",
    ),
    "state/env.py": ("import os\nHOME = os.environ['HOME']", "on import, reads os.environ"),
    "state/register.py": (
        "@FORMATS.register('x')\ndef f(): ...",
        "on import, calls FORMATS.register",
    ),
    "state/calls.py": ("if True:\n    logging.disable()", "on import, calls logging.disable"),
    "state/default.py": ("def f(a=open('a')): ...", "on import, calls open"),
    "state/utils.py": ("", "says nothing by its name"),
}


def written(folder: Path, name: str, source: str) -> Path:
    """Write one file of a package beside the names of all rooms; return the package."""
    package = folder / "mlmon_exporter"
    for room in ROOMS:
        (package / room.replace(".", "/")).mkdir(parents=True, exist_ok=True)
    path = package / name
    path.parent.mkdir(exist_ok=True)
    if path.with_suffix("").is_dir():
        path.with_suffix("").rmdir()
    path.write_text(source)
    return package


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(name: str, tmp_path: Path) -> None:
    source, expected = FAULTS[name]
    assert problems(written(tmp_path, name, source)) == [f"{name}: {expected}"]


INNOCENT = {
    "core/stats/pure.py": "import numpy as np\nfrom . import bins\nfrom .bins import edges",
    "formats/v1.py": "import orjson\nfrom ..core import records\nfrom urllib.parse import quote",
    "metrics/collector.py": "from prometheus_client import Metric",
    "state/later.py": "def f():\n    print(open('a').read())\ng = lambda: open('a')",
    "state/main.py": "if __name__ == '__main__':\n    app()",
    "state/types.py": "if TYPE_CHECKING:\n    register()",
    "reference/extra.py": "def f():\n    import pyarrow",
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_allowed_passes(name: str, tmp_path: Path) -> None:
    assert problems(written(tmp_path, name, INNOCENT[name])) == []


# --- The package as a whole ---


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "numpy, pydantic, starlette, prometheus_client, fastdigest, tdigest, orjson"
    code = f"import sys, mlmon_exporter; print(set('{heavy}'.split(', ')) & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert result.stdout == "set()\n"


def test_a_server_imports_what_it_needs() -> None:
    extras = {*NEEDED, "fastapi", "pandas", "psycopg", "scipy", "sklearn"}
    edges = ("assets", "cli", "page", "reference.data")
    unneeded = extras | {f"mlmon_exporter.{name}" for name in edges}
    code = (
        "import sys; from mlmon_exporter import instrument, MonitorMiddleware, Monitor, Config;"
        f"print({unneeded} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert result.stdout == "set()\n"


def test_importing_instrument_loads_the_rooms_in_the_path_of_requests() -> None:
    code = (
        "import sys; from mlmon_exporter import instrument, MonitorMiddleware;"
        "print(*(name for name in sys.modules if name.startswith('mlmon_exporter.')),"
        "*{'fastdigest', 'orjson', 'pydantic_settings', 'sqlite3', 'tdigest'} & sys.modules.keys())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    loaded = {room_of(name) if "." in name else name for name in result.stdout.split()}
    words = {"core", "core.counts", "core.keys", "core.labels", "core.records"}
    # Of the formats, only the names that sources share with them.
    assert loaded == {"config", "formats", "monitor", "runtime", "sources", *words}
    assert "mlmon_exporter.formats.parsing" not in result.stdout


def test_every_public_name_is_there() -> None:
    for name in mlmon_exporter.__all__:
        assert getattr(mlmon_exporter, name).__name__ == name
    assert set(mlmon_exporter.__all__) <= set(dir(mlmon_exporter))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mlmon_exporter' has no attribute 'Metric'"):
        getattr(mlmon_exporter, "Metric")  # noqa: B009


def test_every_module_can_be_imported() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        import_module(".".join(parts).removesuffix(".__init__"))


def test_boards_and_rules_are_found() -> None:
    assert (assets_root() / "grafana").is_dir()
    assert (assets_root() / "alerts").is_dir()
