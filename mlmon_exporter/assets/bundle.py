"""The bundled boards, rules and runbooks as path -> content, for the default or other settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .rules import DEFAULTS, Settings, files
from .rules.kubernetes import Cluster, objects

FOLDERS = ("grafana", "alerts")
TESTS = "alerts/tests/"


def asset_files(root: Path, settings: Settings = DEFAULTS) -> dict[str, bytes]:
    """Return path -> content of all files under a root, the rules made for some settings.

    The tests of the rules hold for the default settings, and are left out with others.
    """
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root)}
    if settings == DEFAULTS:
        return contents
    left_out = (TESTS, *(f"alerts/optional/mlmon-{name}.yml" for name in settings.optional))
    kept = {path: content for path, content in contents.items() if not path.startswith(left_out)}
    return kept | {f"alerts/{path}": text.encode() for path, text in files(settings).items()}


def object_files(
    root: Path, settings: Settings, cluster: Cluster, *, has_rules: bool = True
) -> dict[str, bytes]:
    """Return path -> content of objects for Kubernetes: a monitor, and the rules and boards."""
    if not has_rules:
        return {path: text.encode() for path, text in objects(cluster, {}, {}).items()}
    loaded = ("recording/", "alerting/")
    rules = {path: text for path, text in files(settings).items() if path.startswith(loaded)}
    boards = {
        path.relative_to(root / "grafana").as_posix(): path.read_text(encoding="utf-8")
        for path in _files(root)
        if path.suffix == ".json"
    }
    made = objects(cluster, rules, boards)
    return {path: text.encode() for path, text in made.items()}


def _files(root: Path) -> Iterator[Path]:
    # A checkout also has the code that builds the boards, and hidden files.
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            parts = path.relative_to(root).parts
            is_hidden = any(part.startswith((".", "__")) for part in parts)
            if path.is_file() and not is_hidden and path.suffix != ".py":
                yield path
