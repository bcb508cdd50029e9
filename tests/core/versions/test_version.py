"""Facts about a model whose reference has no times: live traffic shows how rows depend."""

from __future__ import annotations

from mlmon_exporter.core.keys import FEATURE_STRETCHES, OUTPUT_STRETCHES
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from tests.core.served_rows import NOW, SETTINGS, batch, reference_of, samples

DAY = 86400.0


def days_of_traffic(model: Model, days: int, *, nights: float = 0.0, hour: int = 1) -> float:
    """Twenty rows each `hour` of so many days; the time at their end."""
    begin = 19_000 * DAY
    for at in range(0, 24 * days, hour):
        shift = nights if at % 24 < 7 else 0.0
        model.observe(batch(20 * hour, at, shift=shift), begin + at * 3600.0)
    return begin + days * DAY


def test_dependence_is_known_once_live_traffic_has_shown_a_week() -> None:
    model = Model(SETTINGS, reference_of())
    now = days_of_traffic(model, 9)
    known = [
        samples(model.readings(now - early * DAY))["mlmon_dependence_known", "v1"]
        for early in (1.5, 0.9, 0)
    ]
    assert known == [0, 1, 1]


def test_thresholds_allow_for_nights_that_live_traffic_has_shown() -> None:
    still, moving = (Model(SETTINGS, reference_of()) for _ in range(2))
    bar = "mlmon_feature_ks_threshold", "v1", "age", "1h"
    bars = []
    for model, nights in ((still, 0.0), (moving, 1.5)):
        now = days_of_traffic(model, 10, nights=nights)
        model.observe(batch(200, 999), now)
        bars.append(samples(model.readings(now))[bar])
    assert bars[0] < 0.4
    assert bars[1] > 0.7


def test_a_deploy_forgets_no_dependence() -> None:
    model = Model(SETTINGS, reference_of())
    now = days_of_traffic(model, 9)
    tallies = {key: tally for key, tally in model.versions.loaded().items() if key.version != "v1"}
    assert {key.side for key in tallies} == {FEATURE_STRETCHES, OUTPUT_STRETCHES}
    new = Model(SETTINGS._replace(version="v2"), reference_of())
    new.versions.restore(tallies)
    assert samples(new.readings(now))["mlmon_dependence_known", "v2"] == 1


def test_a_learned_reference_says_of_how_much_time_it_is() -> None:
    got: list[ModelReference] = []

    def keep(reference: ModelReference) -> ModelReference:
        got.append(reference)
        return reference

    model = Model(SETTINGS, None, on_learned=keep)
    for minute in range(10):
        model.observe(batch(100, minute), NOW + 60.0 * minute)
    assert [reference.seconds for reference in got] == [540.0]
