"""What must not be silent fires, alone in its job and among 300 services of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from .alert_cases import TABLE
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
