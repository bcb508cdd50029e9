"""Facts about alerts of the past: Prometheus' engine evaluates the bundled rules over looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import pytest

from mlmon_exporter.assets.rules import DEFAULTS
from mlmon_exporter.assets.rules.rule_set import SUBSYSTEMS
from mlmon_exporter.assets.rules.settings import seconds_of
from mlmon_exporter.cli.past_alerts import LONGEST_STEP, WARM_UP, PastAlerts
from mlmon_exporter.core.records import Readings
from tests.newest_prometheus import newest_binary

T0 = 1_700_006_400.0
QUARTER = 900.0
DAY = 86400.0


@pytest.fixture(params=["installed", "newest"])
def promtool(request: pytest.FixtureRequest, require_binary: Callable[[str], str]) -> str:
    return require_binary("promtool") if request.param == "installed" else newest_binary("promtool")


def drifted(values: Mapping[str, float]) -> list[Readings]:
    """A verdict on each feature, and one on an output that the rules do not read."""
    names = ("model", "version", "feature", "window")
    labels = tuple(("m", "", name, "1h") for name in values)
    read = Readings("mlmon_feature_drifted", names, labels, [*values.values()])
    model = Readings("mlmon_model_info", ("model", "version"), (("m", ""),), [1])
    return [read, model, Readings("mlmon_feature_window_rows", names, labels, [1.0] * len(labels))]


def spans(past: PastAlerts) -> Iterator[tuple[str, float, float, set[str]]]:
    for notice in past.notices():
        features = {alert["feature"] for alert in notice.alerts}
        yield notice.kind, notice.begin - T0, notice.end - T0, features


def test_alerts_wait_for_their_for_and_go_on_for_their_keep_firing_for(promtool: str) -> None:
    past = PastAlerts(promtool, QUARTER)
    for i in range(24):
        # b is over a quarter of an hour after its alert; c never lasts long enough.
        values = {"a b": 1.0 * (4 <= i < 8), "c\"'\\": 1.0 * (i == 4)}
        past.add(T0 + i * QUARTER, drifted(values))
    # From the fourth quarter, 15 minutes of `for`, half a minute until it is told, an hour kept.
    hour = 3600.0
    assert [*spans(past)] == [("ticket", hour + QUARTER + 30, 2 * hour + hour, {"a b"})]


def test_an_alert_goes_on_over_the_end_of_a_stretch_and_lasts_to_the_end(
    require_binary: Callable[[str], str],
) -> None:
    past = PastAlerts(require_binary("promtool"), QUARTER, stretch="1d")
    looks = round(2.25 * DAY / QUARTER)
    for i in range(looks):
        is_risen = DAY / 2 <= i * QUARTER < 1.5 * DAY or i * QUARTER >= 2 * DAY
        past.add(T0 + i * QUARTER, drifted({"a": 1.0 * is_risen}))
    expected = [
        ("ticket", DAY / 2 + QUARTER + 30, 1.5 * DAY + 3600, {"a"}),
        ("ticket", 2 * DAY + QUARTER + 30, math.inf, {"a"}),
    ]
    assert [*spans(past)] == expected
    assert [*spans(past)] == expected


def test_a_gap_of_looks_ends_an_alert(promtool: str) -> None:
    past = PastAlerts(promtool, QUARTER)
    for i in (0, 1, 2, 3, 40, 41, 42):
        past.add(T0 + i * QUARTER, drifted({"a": 1.0}))
    # A look is held for a quarter of an hour; then the alert is kept for an hour.
    (first, second) = spans(past)
    # Older releases know a sample for five minutes, newer ones for less.
    assert first[2] - 4 * QUARTER - 3600 in (0, 300)
    assert second[1] == 41 * QUARTER + 30


def test_a_stale_reference_is_one_at_the_time_of_the_look(promtool: str) -> None:
    past = PastAlerts(promtool, 3600.0)
    created = T0 - 179.5 * DAY
    labels = (("m", ""),)
    for i in range(48):
        block = Readings(
            "mlmon_reference_timestamp_seconds", ("model", "version"), labels, [created]
        )
        past.add(T0 + i * 3600.0, [block])
    (notice,) = past.notices()
    assert {alert["alertname"] for alert in notice.alerts} == {"MlmonReferenceStale"}
    assert notice.begin - T0 == pytest.approx(0.5 * DAY + 3600 + 30, abs=300)


def test_what_promtool_says_of_a_wrong_file_is_told(promtool: str) -> None:
    past = PastAlerts(promtool, QUARTER)
    past.add(T0, [Readings("mlmon_feature_drifted", ("1",), (("m",),), [1.0])])
    with pytest.raises(OSError, match="promtool: "):
        past.notices()


def test_a_stretch_begins_with_all_that_rules_on_models_look_back() -> None:
    step, warm_up = seconds_of(LONGEST_STEP), seconds_of(WARM_UP)
    for subsystem in SUBSYSTEMS:
        for alert in subsystem.alerts(DEFAULTS):
            if subsystem.name in ("data", "drift", "quality", "fairness"):
                assert seconds_of(alert.hold) % step == 0, alert.name
                kept = seconds_of(alert.keep) if alert.keep else 0.0
                assert DAY + seconds_of(alert.hold) + kept <= warm_up, alert.name
