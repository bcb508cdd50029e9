"""What must not be silent fires, alone in its job and among 300 services of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from . import outcomes_cases, serving_cases
from .alert_cases import ALERTS, TABLE, CaseFile, promtool_test, series
from .conftest import Promtool
from .incidents import INCIDENTS, Incident, incident_test, neighbours

NEIGHBOURS = {"its own job": {}, "300 services in a job, one of them down": neighbours()}


@pytest.mark.parametrize("place", NEIGHBOURS)
@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_an_incident_is_told(
    incident: Incident, place: str, installed_promtool: Promtool, tmp_path: Path
) -> None:
    test = tmp_path / "test.yml"
    test.write_text(incident_test(incident, NEIGHBOURS[place], tmp_path))
    assert installed_promtool("test", "rules", test) == ""


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_an_incident_has_the_severity_that_is_right(incident: Incident) -> None:
    assert TABLE[incident.alert][1].severity == incident.severity


LASTING = {"predictions": serving_cases.LASTING, "ground truth": outcomes_cases.LASTING}
"""What stops, and is told until it comes again: of weeks, not of hours."""
FIVE_WEEKS = 5 * 7 * 24 * 6
"""In steps of ten minutes."""
BESIDE = {
    **{
        series(metric, instance=f"n{number}", model=f"n{number}", version="1", **more): course
        for number in range(2)
        for metric, course, more in (
            ("mlmon_model_info", f"1x{FIVE_WEEKS}", {}),
            ("mlmon_prediction_rows_total", f"0+100x{FIVE_WEEKS}", {}),
            ("mlmon_ground_truth_total", f"0+100x{FIVE_WEEKS}", {"outcome": "matched"}),
        )
    },
    **{series("up", instance=f"n{number}"): f"{number}x{FIVE_WEEKS}" for number in range(2)},
}
"""Services that go on in the same job, one of which does not answer."""


@pytest.mark.parametrize("what", LASTING)
def test_what_stops_stays_told_beside_neighbours(
    what: str, installed_promtool: Promtool, tmp_path: Path
) -> None:
    file: CaseFile = LASTING[what]
    cases = [replace(c, series={**c.series, **BESIDE}) for c in file.cases if c.fires]
    text = promtool_test(file._replace(cases=cases)).replace("- ../", f"- {ALERTS}/")
    (tmp_path / "test.yml").write_text(text)
    assert installed_promtool("test", "rules", tmp_path / "test.yml") == ""
