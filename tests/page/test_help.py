"""Facts about runbooks and troubleshooting on the page."""

from __future__ import annotations

import html
import re

import pytest

from mlmon_exporter.assets.root import assets_root
from mlmon_exporter.page.alerts import RUNBOOKS
from mlmon_exporter.page.view import View

from .shown import page, text_of

RUNBOOK_FILES = assets_root() / "alerts" / "runbooks"


def test_what_is_wrong_links_to_its_runbook_and_to_troubleshooting(shown: View) -> None:
    first = html.unescape(page(shown))
    (said,) = re.findall(r"What to do: (.*?)</p>", first)
    assert re.search(r"troubleshooting ?\.$", text_of(said))
    for name in re.findall(r"help=(\w+)", first):
        assert "There is no such" not in page(shown, help=name), name
    assert "help=MlmonQualityDrop" in said


def test_a_calm_page_links_to_troubleshooting_alone(calm: View) -> None:
    first = page(calm)
    assert "What to do" not in first
    assert set(re.findall(r"help=(\w+)", first)) == {"troubleshooting"}


@pytest.mark.parametrize("name", sorted(path.stem for path in RUNBOOK_FILES.glob("*.md")))
def test_every_runbook_is_a_page_with_all_its_words(calm: View, name: str) -> None:
    shown = text_of(page(calm, help=name))
    markdown = (RUNBOOK_FILES / f"{name}.md").read_text()
    plain = re.sub(r"```\w*|\[([^\]]+)\]\([^)]+\)|[#*`]", r"\1", markdown)
    assert set(re.findall(r"[a-z]{3,}", plain)) <= set(re.findall(r"[a-z]{3,}", shown))


def test_each_fault_has_a_runbook_that_exists() -> None:
    assert [n for n in RUNBOOKS.values() if not (RUNBOOK_FILES / f"{n}.md").exists()] == []


@pytest.mark.parametrize("name", ["../../README", "Nothing", "", "a/b", "troubleshooting.md"])
def test_no_other_file_is_shown(calm: View, name: str) -> None:
    assert "There is no such" in page(calm, help=name)
