"""Facts about the overview."""

from __future__ import annotations

import re
from pathlib import Path

from mlmon_exporter import Config, Monitor
from mlmon_exporter.cli.server import server_app
from mlmon_exporter.page.app import PageApp
from tests.asgi import get, shut_down
from tests.page.opened import served

from .served import NOW, configured, fill, rows
from .shown import page, text_of, view


def test_an_unknown_window_is_the_longest(config: Config) -> None:
    app = server_app(config)
    assert "Rows in 24h" in get(app, "/?window=%3Cscript%3E").text
    assert "Rows in 1h" in get(app, "/?window=1h").text
    shut_down(app)


def test_a_model_that_learns_its_reference_has_a_page() -> None:
    text = get(served(learn_rows=1000), "/mlmon").text
    assert "learning its reference: 0 rows" in text
    assert "Nothing to compare yet" in text


def test_the_first_line_says_what_drifted_the_most_and_since_when(config: Config) -> None:
    app = server_app(config)
    (line,) = re.findall("<h1>(.*?)</h1>", get(app, "/").text)
    shut_down(app)
    said = " ".join(text_of(line).split())
    assert re.fullmatch(
        r"▲ 4 of 303 columns drifted, \w+ of bike-demand the most, since about .*\d\d:\d\d", said
    )


def test_the_lines_of_a_fresh_server_are_those_of_a_shorter_window(tmp_path: Path) -> None:
    monitor = Monitor(Config(**configured(tmp_path, features=5)))
    for i in range(3):
        columns = rows(200, i, features=5)
        monitor.observe(columns, {"score": columns.pop("score")}, model="churn", now=NOW - 300 * i)
    shown = page(view(monitor))
    assert "Rows in 24h" in shown
    assert "Last 1h" in shown
    fill(monitor, features=5)
    assert "Last 24h" in page(view(monitor))


def test_faults_of_the_last_minutes_fire(tmp_path: Path) -> None:
    monitor = Monitor(model="m", page_path="/mlmon")
    now = [1000.0]
    app = PageApp(lambda pause: monitor._readout.snapshot(pause, now[0]))
    assert "Verdicts now" not in get(app, "/").text
    monitor._counts.health.drop("queue_full", 4)
    now[0] += 60
    shown = get(app, "/").text
    assert re.search("Verdicts now.*Dropped</b> 4: queue_full", shown)
