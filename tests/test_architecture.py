"""Facts about the shape: imports run edges -> `formats/` -> `core/`, and importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import mlmon_exporter
from mlmon_exporter.assets import assets_root
from mlmon_exporter.cli import NEEDED

PACKAGE = Path(mlmon_exporter.__file__).parent

# No I/O, clock, logging or randomness of their own; `threading` is here for its locks.
PURE = frozenset(
    """__future__ abc array bisect collections contextlib copy dataclasses enum fractions functools
    hashlib heapq itertools json math numbers operator re reprlib statistics string struct sys
    textwrap threading types typing unicodedata warnings zlib""".split()
)
CORE = PURE | {"fastdigest", "mlmon_exporter.core", "numpy", "tdigest"}
FORMATS = PURE | {
    *("base64", "binascii", "csv", "email", "gzip", "io", "urllib.parse"),
    "gc",  # for is_tracked, which tells what cannot hold a container
    "importlib",  # for decompressors that may be installed
    *("mlmon_exporter.core", "mlmon_exporter.formats", "numpy", "orjson"),
}
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
        found += [f"{name}: imports {module}" for module in forbidden_imports(name, tree)]
        found += [f"{name}: on import, {effect}" for effect in import_effects(tree)]
        if VAGUE_NAMES & set(Path(name).with_suffix("").parts):
            found.append(f"{name}: says nothing by its name")
    return found


def forbidden_imports(name: str, tree: ast.Module) -> Iterator[str]:
    for module in imported_modules(name, tree):
        if name.startswith("core/"):
            is_allowed = is_within(module, CORE)
        elif name.startswith("formats/"):
            is_allowed = is_within(module, FORMATS)
        else:
            is_allowed = name == "collector.py" or not is_within(module, {"prometheus_client"})
        if not is_allowed:
            yield module


def imported_modules(name: str, tree: ast.Module) -> Iterator[str]:
    """Absolute names of what a file imports anywhere in it, `from . import x` as the module x."""
    here = ["mlmon_exporter", *Path(name).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module in {"mlmon_exporter", "urllib"}:
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


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


FAULTS = {
    "core/clock.py": ("import time", "imports time"),
    "core/lazy.py": ("def f():\n    from os import path", "imports os"),
    "core/up.py": ("from ..formats import json", "imports mlmon_exporter.formats"),
    "core/edge.py": ("from .. import config", "imports mlmon_exporter.config"),
    "core/deep/absolute.py": ("import mlmon_exporter.store", "imports mlmon_exporter.store"),
    "core/metrics.py": ("import prometheus_client.core", "imports prometheus_client.core"),
    "formats/log.py": ("import logging", "imports logging"),
    "formats/edge.py": ("from ..config import Config", "imports mlmon_exporter.config"),
    "formats/fetch.py": ("from urllib import request", "imports urllib.request"),
    "middleware.py": ("from prometheus_client import Counter", "imports prometheus_client"),
    "reads.py": ("TEXT = open('a').read()", "on import, calls open"),
    "reads_in_class.py": (
        "class A:\n    text = Path('a').read_text()",
        "on import, calls Path('a').read_text",
    ),
    "environment.py": ("import os\nHOME = os.environ['HOME']", "on import, reads os.environ"),
    "registers.py": ("@FORMATS.register('x')\ndef f(): ...", "on import, calls FORMATS.register"),
    "calls.py": ("if True:\n    logging.disable()", "on import, calls logging.disable"),
    "default.py": ("def f(a=open('a')): ...", "on import, calls open"),
    "utils.py": ("", "says nothing by its name"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(name: str, tmp_path: Path) -> None:
    source, expected = FAULTS[name]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(source)
    assert problems(tmp_path) == [f"{name}: {expected}"]


INNOCENT = {
    "core/pure.py": "import numpy as np\nfrom . import bins\nfrom .bins import edges",
    "formats/v1.py": "import orjson\nfrom ..core import records\nfrom urllib.parse import quote",
    "collector.py": "from prometheus_client import Metric",
    "later.py": "def f():\n    print(open('a').read())\ng = lambda: open('a')",
    "main.py": "if __name__ == '__main__':\n    app()",
    "types.py": "if TYPE_CHECKING:\n    register()",
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_allowed_passes(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(INNOCENT[name])
    assert problems(tmp_path) == []


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
    edges = ("alerts", "arrow_columns", "cli", "commands", "data_files", "demo", "page", "server")
    unneeded = extras | {f"mlmon_exporter.{name}" for name in edges}
    code = (
        "import sys; from mlmon_exporter import instrument, MonitorMiddleware, Monitor, Config;"
        f"print({unneeded} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert result.stdout == "set()\n"


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
