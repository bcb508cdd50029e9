"""The page of a monitor as the view and as HTML."""

from __future__ import annotations

import html
import re

from mlmon_exporter import Monitor
from mlmon_exporter.page.app import rendered
from mlmon_exporter.page.outcome_view import VersionOutcomes
from mlmon_exporter.page.view import View, view_of

from .served import NOW


def view(monitor: Monitor) -> View:
    snapshot = monitor._readout.snapshot(now=NOW)
    return view_of(snapshot, {})


def page(shown: View, **query: str) -> str:
    return rendered(shown, query)[1].decode()


def champion(shown: View) -> VersionOutcomes:
    return shown.models[0].outcomes.versions[0]


def tables(text: str, class_: str) -> list[list[list[str]]]:
    """The cells' texts of all tables of a class, by row."""
    found = re.findall(rf'<table class="{class_}">(.*?)</table>', text, re.DOTALL)
    rows = [re.findall(r"<tr.*?>(.*?)</tr>", table, re.DOTALL) for table in found]
    return [
        [[text_of(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in table]
        for table in rows
    ]


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", markup)).strip()
