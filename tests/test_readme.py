from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from mlmon_exporter import Config
from mlmon_exporter.cli.program import program
from mlmon_exporter.config.keys import ModelConfig
from mlmon_exporter.metrics.table import METRICS

from .blocks import PAGES, ROOT

README = PAGES[0].read_text()


def test_the_table_of_metrics_is_the_table_in_the_code() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| [^|]* \| (.+) \|$", page, re.MULTILINE)
    ours = {name: (kind, text) for name, (kind, text) in METRICS.items()}
    theirs = {name: (kind, text) for name, kind, text in rows}
    for name in METRICS:
        pair = re.sub("mlmon_(prediction|derived)_", "mlmon_feature_", name)
        # Each quality has its companions, which are shown for accuracy alone.
        companions = r"quality_\w+?(_difference_threshold|_difference|_threshold)?$"
        pair = re.sub(companions, r"quality_accuracy\1", pair)
        assert name in theirs or pair in theirs, f"docs/metrics.md: no row for {name}"
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_metric_that_a_page_names_exists(page: Path) -> None:
    suffixes = ("_bucket", "_count", "_sum")
    for name in re.findall(r"(?<!:)\bmlmon_(?!exporter)\w+[a-z]\b(?!\*)", page.read_text()):
        known = {name, *(name.removesuffix(suffix) for suffix in suffixes)}
        assert known & METRICS.keys(), f"{page.name}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_documented_keys_are_the_keys_of_the_configuration() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    keys = set(re.findall(r"^(\w+) = ", text, re.MULTILINE))
    keys |= {
        key
        for row in re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", row)
    }
    known = Config.model_fields.keys() | ModelConfig.model_fields.keys()
    assert keys - {"key"} == known - {"models"}


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of all rows of all tables, without emphasis."""
    lines = re.findall(r"^\| (.+) \|$", text, re.MULTILINE)
    return [line.replace("**", "").split(" | ") for line in lines]


def test_the_readme_is_short_and_quotes_the_tables_of_false_alarms() -> None:
    assert len(README.splitlines()) < 150
    measured = rows_of((ROOT / "docs" / "thresholds.md").read_text())
    quoted = [row for row in rows_of(README) if len(row) == 4][1:]
    assert len(quoted) == 5
    for name, independent, worst, seen in quoted:
        with_changes, dependent = (row[1:] for row in measured if row[0] == name)
        assert [independent, seen] == [with_changes[0], with_changes[2]]
        assert int(worst.replace(",", "")) == max(int(n.replace(",", "")) for n in dependent[1:])


COMMAND = re.compile(r"(?:^|`)mlmon-exporter ([a-z-]+)((?:[^`\n]|\\\n)*)", re.MULTILINE)
"""A command that a page shows, in a block or in a line; a backslash continues it."""


def test_every_command_that_a_page_shows_knows_its_options() -> None:
    commands = typer.main.get_command(program()).commands  # type: ignore[attr-defined]
    shown = [(page.name, *found) for page in PAGES for found in COMMAND.findall(page.read_text())]
    assert len(shown) > 20
    for page, name, arguments in shown:
        assert name in commands, f"{page}: mlmon-exporter {name}"
        known = {
            opt for param in commands[name].params for opt in (*param.opts, *param.secondary_opts)
        }
        wanted = set(re.findall(r"(?<!\S)--[a-z-]+", arguments))
        assert wanted <= known, f"{page}: mlmon-exporter {name}: {wanted - known}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", README))
    assert linked == {f"docs/{page.name}" for page in PAGES[1:]}


MARKDOWN = [*PAGES, *sorted((ROOT / "alerts").rglob("*.md")), ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    for target, heading in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", page.read_text()):
        found = re.findall(
            r"^#+ (.+)$", (page.parent / target if target else page).read_text(), re.MULTILINE
        )
        slugs = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in found}
        assert heading in slugs, f"{page.name}: {target}#{heading}"
