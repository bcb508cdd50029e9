"""Facts about docs/troubleshooting.md: each line of our log, and each reason, is explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmon_exporter.core.counts.health import DROP_REASONS, INTERNAL, WRITE_FAILURES

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
LEVELS = {"info", "warning", "error", "exception", "critical"}


def messages() -> Iterator[str]:
    """Give the text of each call of a logger in the package."""
    for file in (ROOT / "mlmon_exporter").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="logger"), attr=level),
                    args=[text, *_],
                ) if level in LEVELS:
                    yield re.sub("%[sd]", "…", ast.literal_eval(text))


def test_the_table_of_log_lines_is_what_the_code_logs() -> None:
    explained = re.findall(r"^\| `(mlmon: .*?)` \| \S.* \|$", PAGE, re.MULTILINE)
    assert sorted(explained) == sorted(set(messages()))


@pytest.mark.parametrize("reason", [*DROP_REASONS, *INTERNAL, *WRITE_FAILURES])
def test_each_reason_of_a_counter_is_explained(reason: str) -> None:
    assert f"`{reason}`" in PAGE
