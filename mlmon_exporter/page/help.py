"""Texts that come with the package, as pages: the runbooks of alerts, and troubleshooting."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlmon_exporter.assets.root import assets_root

from .html import Child, Html, element, text
from .links import Links

TROUBLESHOOTING = "troubleshooting"
PART = re.compile(
    r"^(#+) ([^\n]+)|^```\w*\n(.*?)^```|((?:^(?!#|```)[^\n]+\n?)+)", re.MULTILINE | re.DOTALL
)
"""A heading, a block of code, or the lines of a paragraph, a list or a table."""
MARKUP = re.compile(r"\[([^\]]+)\]\([^)]+\)|\*\*|`")
CONTINUED = re.compile(r"\n\s*(?![-|]|\d+\. |\s)")
"""A line's end that is none of a list's item or a table's row."""


def help_page(name: str) -> list[Child] | None:
    """Return the body of a runbook's page, or of troubleshooting; None if there is no such text."""
    if not re.fullmatch(r"\w+", name, re.ASCII):
        return None
    is_runbook = name != TROUBLESHOOTING
    file = f"alerts/runbooks/{name}.md" if is_runbook else f"docs/{name}.md"
    try:
        markdown = (assets_root() / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return [element("section", [*_parts(markdown)], class_="help")]


def _parts(markdown: str) -> Iterator[Html]:
    for hashes, title, code, lines in PART.findall(markdown):
        if hashes:
            yield element("h1" if hashes == "#" else "h2", MARKUP.sub(r"\1", title))
        elif code:
            yield element("pre", code)
        else:
            yield element("p", MARKUP.sub(r"\1", CONTINUED.sub(" ", lines.strip())))


def help_links(links: Links, names: list[str]) -> Html | None:
    """Return links to runbooks, and to troubleshooting; None in a file, which has none of them."""
    if not links.help(TROUBLESHOOTING):
        return None
    named = [(element("a", name, href=links.help(name)), ", ") for name in dict.fromkeys(names)]
    last = element("a", TROUBLESHOOTING, href=links.help(TROUBLESHOOTING))
    return element("p", text("What to do: ", named, last, "."), class_="soft")
