"""Facts about the page and the report in a real Chromium."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mlmon_exporter import Config, Monitor
from mlmon_exporter.cli.server import reader_of, server_app
from mlmon_exporter.page import app
from tests.e2e.servers import serving

from .browser import Browser
from .served import HOSTILE, LONG, configured, fill

AXE = Path(__file__).parents[2] / "build" / "axe.min.js"
LOAD_MILLISECONDS = 300

PAGES = {
    "first": "",
    "model": urlencode({"model": "churn"}),
    "numeric": urlencode({"model": "bike-demand", "version": "2026-11", "feature": "temperature"}),
    "categorical": urlencode({"model": "churn", "version": "", "feature": "browser"}),
    "hostile": urlencode({"model": "income", "version": "", "feature": HOSTILE}),
    "help": urlencode({"help": "MlmonFeatureDrift"}),
    "not there": urlencode({"model": "nobody"}),
}
OUTCOMES = {"first outcomes": "", "outcomes": urlencode({"model": "credit"})}
"""Pages of another host."""


@pytest.fixture(scope="module", autouse=True)
def _stands_still() -> Iterator[None]:
    """Have no page load itself anew while it is looked at, which may take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "REFRESH_SECONDS", 3600)
        yield


@pytest.fixture(scope="session")
def report(config: Config, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    with closing(reader_of(config)) as monitor:
        path.write_text(monitor.report(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(params=[*PAGES, *OUTCOMES, "report"])
def address(request: pytest.FixtureRequest, url: str, outcomes_url: str, report: str) -> str:
    if request.param in OUTCOMES:
        return f"{outcomes_url}?{OUTCOMES[request.param]}"
    return report if request.param == "report" else f"{url}?{PAGES[request.param]}"


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, browser: Browser) -> Any:
    browser.theme(request.param)
    return request.param


def test_the_page_and_the_report_load_in_time(browser: Browser, address: str) -> None:
    browser.resize(1200)
    # What else the machine does only adds to a time: the best of many counts.
    times = iter(lambda: browser.open(address), None)
    assert any(ms < LOAD_MILLISECONDS for ms in islice(times, 100))


def test_nothing_is_refused_by_the_policy_and_nothing_else_is_asked_for(
    browser: Browser, address: str
) -> None:
    browser.open(address)
    entries = [event["entry"] for event in browser.events("Log.entryAdded")]
    assert [e["text"] for e in entries if e["source"] != "network"] == []
    asked = {e["request"]["url"] for e in browser.events("Network.requestWillBeSent")}
    assert asked <= {address, f"{address.partition('?')[0]}favicon.ico"}


def test_no_script_ran_and_hostile_names_are_text(browser: Browser, address: str) -> None:
    browser.open(address)
    assert browser.evaluate("document.scripts.length") == 0
    assert browser.evaluate("document.querySelectorAll('td b, th b').length") == 0
    assert browser.events("Page.javascriptDialogOpening") == []


def test_a_hostile_feature_has_its_name_as_its_title(browser: Browser, url: str) -> None:
    browser.open(f"{url}?{PAGES['hostile']}")
    assert browser.evaluate("document.querySelector('h1').textContent") == HOSTILE


def test_a_long_category_is_text_on_one_line(browser: Browser, url: str) -> None:
    browser.resize(390)
    browser.open(f"{url}?{PAGES['categorical']}")
    cell = "document.querySelector('table.bins tbody th')"
    assert browser.evaluate(f"{cell}.textContent").startswith(LONG[:100])
    assert browser.evaluate(f"{cell}.getBoundingClientRect().height") < 40


def test_a_phone_need_not_scroll_sideways(browser: Browser, address: str, theme: str) -> None:
    browser.resize(390)
    browser.open(address)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_phone_shows_two_models_on_three_screens(browser: Browser, tmp_path: Path) -> None:
    options = configured(tmp_path, features=16, state_dir=tmp_path / "state")
    config = Config(**options | {"models": options["models"][:2]})
    with closing(Monitor(config)) as monitor:
        fill(monitor, now=time.time(), features=16)
    with serving(server_app(config)) as url:
        browser.resize(390, 844)
        browser.open(url)
        height = browser.evaluate("document.documentElement.scrollHeight")
    assert height <= 3 * 844


@pytest.mark.parametrize("width", [390, 1200])
def test_axe_finds_nothing_serious_on_the_page(
    browser: Browser, address: str, theme: str, width: int
) -> None:
    browser.resize(width)
    browser.open(address)
    assert serious_findings(browser) == []


def serious_findings(browser: Browser) -> list[str]:
    """Serious and critical faults of accessibility, as axe-core has them."""
    if not AXE.exists():
        message = f"{AXE}: expected axe-core, got nothing; run 'make build/axe.min.js'"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    browser.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    found = browser.evaluate(
        "axe.run().then(result => ({passed: result.passes.length, violated: "
        "result.violations.map(v => `${v.impact} ${v.id}: ${v.nodes[0].html.slice(0, 200)}`)}))"
    )
    assert found["passed"] > 10
    return [line for line in found["violated"] if line.startswith(("serious", "critical"))]


def test_the_dark_theme_is_dark(browser: Browser, url: str) -> None:
    colours = set()
    for theme in ("light", "dark"):
        browser.theme(theme)
        browser.open(url)
        colours.add(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == {"rgb(251, 251, 250)", "rgb(17, 20, 23)"}


def test_a_link_leads_to_the_feature_and_keeps_the_window(browser: Browser, url: str) -> None:
    browser.open(f"{url}?window=1h&paused=1")
    link = "[...document.querySelectorAll('section.firing a')].find(a => a.textContent == 'colour')"
    target = browser.evaluate(f"{link}.href")
    browser.open(target)
    assert browser.evaluate("document.querySelector('h1').textContent") == "colour"
    assert browser.evaluate("document.querySelector('.windows b').textContent") == "1h"


def test_a_link_within_the_report_leads_to_a_section(browser: Browser, report: str) -> None:
    browser.open(report)
    links = "[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
    assert browser.evaluate(f"{links}.every(h => h == '#top' || document.querySelector(h))")
