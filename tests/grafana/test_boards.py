from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.boards.board import text_of
from grafana.boards.catalog import NOT_SHOWN, boards
from mlmon_exporter.assets.rules import kpi
from mlmon_exporter.assets.rules.fleet import fleet_groups
from mlmon_exporter.assets.rules.settings import DEFAULTS
from mlmon_exporter.metrics.table import METRICS
from tests.places import merged

from .boards import (
    BOARDS,
    DURATIONS,
    FOLDER,
    everything,
    families,
    filled,
    panels,
    targets,
    variables,
)
from .rules import RULES, Rule

UIDS = {"mlmon-overview", "mlmon-drift", "mlmon-quality", "mlmon-operations"}
each_board = pytest.mark.parametrize("uid", BOARDS)


@each_board
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_linter_would_find_nothing(uid: str, rule: Rule) -> None:
    assert list(rule(BOARDS[uid])) == []


def test_the_committed_boards_are_what_the_code_makes() -> None:
    made = {name: text_of(board) for name, board in boards().items()}
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert committed == made, "run python -m grafana.boards"


@each_board
def test_the_builder_knows_every_key_of_a_board(uid: str) -> None:
    assert lost(BOARDS[uid], round_trip(BOARDS[uid])) == []


def test_a_key_with_a_slip_of_the_pen_is_found() -> None:
    board = copy.deepcopy(BOARDS["mlmon-drift"])
    panels(board)[0]["fieldConfig"]["defaults"]["untis"] = "s"
    assert lost(board, round_trip(board)) == [".panels.1.fieldConfig.defaults.untis"]


def round_trip(board: dict[str, Any]) -> Any:
    register_default_plugins()
    return json.loads(json.dumps(Dashboard.from_json(copy.deepcopy(board)), cls=JSONEncoder))


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Return the paths at which something is no longer there; defaults may have come."""
    if isinstance(before, dict) and isinstance(after, dict):
        gone = [f"{path}.{key}" for key in before.keys() - after.keys()]
        both = before.keys() & after.keys()
        return gone + [at for key in both for at in lost(before[key], after[key], f"{path}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [at for i, (a, b) in pairs for at in lost(a, b, f"{path}.{i}")]
    return [] if before == after else [path]


def test_alerts_and_links_find_the_boards_by_their_uids() -> None:
    assert set(BOARDS) == UIDS
    for uid, board in BOARDS.items():
        assert board["uid"] == uid
        assert board.get("id") is None
        assert "__inputs" not in board
        for target in re.findall(r'"url": "/d/([\w-]+)', json.dumps(board)):
            assert target in UIDS
    for uid in ("mlmon-drift", "mlmon-quality", "mlmon-overview", "mlmon-operations"):
        assert "model" in variables(BOARDS[uid])
    assert "feature" in variables(BOARDS["mlmon-drift"])


@each_board
def test_ids_count_up_and_no_panel_lies_on_another(uid: str) -> None:
    board = BOARDS[uid]
    found = everything(board)
    assert [panel["id"] for panel in found] == [*range(1, len(found) + 1)]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert taken == {(x, y) for x in range(24) for y in range(max(y for _, y in taken) + 1)}


@each_board
def test_a_board_is_not_long_until_rows_are_opened(uid: str) -> None:
    bottoms = [p["gridPos"]["y"] + p["gridPos"]["h"] for p in BOARDS[uid]["panels"]]
    most = {"mlmon-quality": 2500}
    assert 38 * max(bottoms) <= most.get(uid, 3500), "pixels"


@each_board
def test_a_chart_draws_at_most_twenty_lines_of_a_query(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        stacking = panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {})
        if panel["type"] == "timeseries" and stacking.get("mode") != "normal":
            assert all(query["expr"].startswith("topk(20, ") for query in panel["targets"])


@each_board
def test_every_panel_names_the_metrics_that_it_is_made_of(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        for query in panel["targets"]:
            for family in families(query["expr"]):
                assert f"`{family}`" in panel["description"], panel["title"]


@each_board
def test_charts_have_legends_and_a_word_for_nothing(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        assert panel["fieldConfig"]["defaults"]["noValue"]
        if panel["type"] in ("timeseries", "barchart", "status-history"):
            assert panel["options"]["legend"]["showLegend"]


@each_board
def test_a_model_without_a_version_is_shown(uid: str) -> None:
    assert variables(BOARDS[uid])["version"]["allValue"] == ".*"


@each_board
def test_boards_lead_to_each_other_and_mark_rollouts_and_alerts(uid: str) -> None:
    (link,) = BOARDS[uid]["links"]
    assert link["type"] == "dashboards"
    assert link["tags"] == BOARDS[uid]["tags"] == ["mlmon"]
    assert link["asDropdown"]
    assert link["includeVars"]
    assert link["keepTime"]
    names = [annotation["name"] for annotation in BOARDS[uid]["annotations"]["list"]]
    assert names == ["Rollouts", "Firing alerts"]
    assert BOARDS[uid]["graphTooltip"] == 1


def test_latency_has_exemplars() -> None:
    with_exemplars = {target.panel["title"] for target in targets() if target.query.get("exemplar")}
    assert with_exemplars == {
        "Latency, 99th percentile",
        "Latency by route",
        "Time to the first byte",
    }


def test_axes_begin_at_zero_unless_values_may_be_negative_or_are_near_one() -> None:
    free = {
        panel["title"]
        for board in BOARDS.values()
        for panel in panels(board)
        if panel["type"] == "timeseries" and panel["fieldConfig"]["defaults"].get("min") != 0
    }
    below_zero = {"Quantiles", "Area under the ROC curve, or R²", "Values"}
    below_zero |= {title for title in free if title.endswith("less the configured version's")}
    near_one = {"Accuracy of a classification", "Precision, recall and F1"}
    near_one |= {"Accuracy and area, expected", "Precision, recall and F1, expected"}
    assert free == below_zero | near_one


def test_limits_are_those_of_the_alerts() -> None:
    errors = 1 - DEFAULTS.availability_objective
    limits = {
        "Server errors": errors,
        "Server errors by model": errors,
        "Latency, 99th percentile": DEFAULTS.slow_seconds,
        "Latency by route": DEFAULTS.slow_seconds,
        f"Within {DEFAULTS.slow_seconds:g} s": DEFAULTS.latency_objective,
        "Least parity ratio": DEFAULTS.parity_objective,
        "Demographic parity ratio": DEFAULTS.parity_objective,
    }
    found = set()
    for board in BOARDS.values():
        for panel in panels(board):
            if panel["title"] in limits:
                steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
                assert steps[-1]["value"] == pytest.approx(limits[panel["title"]])
                found.add(panel["title"])
    assert found == limits.keys()


def test_every_metric_is_on_a_board_or_has_a_reason_not_to_be() -> None:
    shown = {family for target in targets() for family in families(target.expr)}
    assert shown >= METRICS.keys() - NOT_SHOWN.keys()
    assert not shown & NOT_SHOWN.keys(), "these are shown after all"
    assert NOT_SHOWN.keys() <= METRICS.keys()


def test_every_metric_on_a_board_exists_and_every_recorded_one_is_recorded() -> None:
    groups = [*fleet_groups(), *kpi.recordings(DEFAULTS)]
    recorded = {rule.record for group in groups for rule in group.rules}
    asked = [(target.name, target.expr) for target in targets()]
    for uid, board in BOARDS.items():
        asked += [(uid, variable["query"]) for variable in variables(board).values()]
        asked += [(uid, annotation["expr"]) for annotation in board["annotations"]["list"]]
    for name, expr in asked:
        bare = re.sub(r'"[^"]*"', "", expr)
        used = set(re.findall(r"\b\w+:\w+:\w+", bare))
        assert used <= recorded, name
        assert families(expr) <= METRICS.keys(), name


OVER_ALL = {
    # Numbers over all that is chosen, as their descriptions say.
    *("Servers down", "Requests", "Server errors", "Within 0.5 s", "In progress"),
    *("Features drifted", "Outputs drifted", "Pages firing", "Tickets firing"),
    # Drawn as one whole.
    *("Latency", "Values over time", "Shares of bins over time"),
    "Requests by outcome and status",
}
AND_ALL = {
    # The line `all`, beside those of each service.
    *("Observations dropped", "Bodies that could not be read", "Bodies that are no predictions"),
    *("Faults of the monitor", "Writes of the state that failed", "Labels over their cap"),
}


def test_services_with_one_model_name_are_two_lines_and_rows_everywhere() -> None:
    seen = set()
    for target in targets():
        title = target.panel["title"]
        found = [*merged(target.expr)]
        if found:
            seen.add(title)
            assert title in OVER_ALL or title in AND_ALL, (target.name, found)
        elif target.query["format"] == "time_series" and title not in OVER_ALL | AND_ALL:
            legend = target.query.get("legendFormat", "")
            assert "{{job}}" in legend or "{{instance}}" in legend, target.name
    assert seen == OVER_ALL | AND_ALL
    for title in AND_ALL - {"Faults of the monitor", "Observations dropped"}:
        assert any(t.panel["title"] == title and not [*merged(t.expr)] for t in targets())


def test_annotations_and_choices_keep_services_apart() -> None:
    for board in BOARDS.values():
        for annotation in board["annotations"]["list"]:
            assert not [*merged(annotation["expr"])]
        for variable in variables(board).values():
            assert not [*merged(variable["query"])]


@pytest.mark.parametrize("program", ["promtool"])
def test_every_expression_parses(
    tmp_path: Path, program: str, require_binary: Callable[[str], str]
) -> None:
    names = "cluster namespace job instance model version feature output derived"
    values = dict.fromkeys(names.split(), ".+") | DURATIONS
    rules = [
        {"record": f"x:y:{i}", "expr": filled(target.expr, values)}
        for i, target in enumerate(targets())
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    command = [require_binary(program), "check", "rules", str(tmp_path / "rules.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
