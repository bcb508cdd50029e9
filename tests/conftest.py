"""What every test relies on: a clean environment, reproducible examples, real programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mlmon_exporter import Monitor

# The same examples in every run, however slow the machine: a red test stays red.
settings.register_profile("reproducible", deadline=None, derandomize=True)
settings.register_profile("quick", settings.get_profile("reproducible"), max_examples=10)
settings.load_profile("reproducible")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives other programs `slow`, and spread it among what computes.

    Programs are mostly waited for. Ordered by folder, or by the number of their tests, files that
    wait run beside one another while a core has nothing to do, and the longest come last.
    """
    for item in items:
        if "require_binary" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    waiting = {item.path for item in items if item.get_closest_marker("slow")}
    ranks: dict[Path, float] = {}
    for files in (waiting, {item.path for item in items} - waiting):
        ranks |= {path: rank / len(files) for rank, path in enumerate(sorted(files))}
    items.sort(key=lambda item: (ranks[item.path], item.path))


@pytest.fixture(autouse=True)
def _no_mlmon_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [*os.environ]:
        if variable.upper().startswith("MLMON_"):
            monkeypatch.delenv(variable)


@pytest.fixture(scope="session", autouse=True)
def _scrapes_wait() -> Iterator[None]:
    """Have a scrape wait for the rows that came before it, however slow the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Monitor, "wait_seconds", 60.0)
        yield


@pytest.fixture(scope="session")
def require_binary() -> Callable[[str], str]:
    """`require_binary(name)` is a path; a missing program skips the test, and fails it in CI."""
    return _path_of_binary


def _path_of_binary(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        message = f"{name}: expected on the PATH, got nothing; see .ci/run for the Debian packages"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path
