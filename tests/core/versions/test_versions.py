"""Facts about the versions of a model."""

from __future__ import annotations

from mlmon_exporter.core.model import Model
from tests.core.served_rows import (
    NOW,
    SETTINGS,
    batch,
    reference_of,
    samples,
)


def versions_of(model: Model) -> set[str]:
    return {key[1] for key in samples(model.readings(NOW))}


def test_each_version_has_its_own_readings() -> None:
    model = Model(SETTINGS, reference_of())
    model.observe(batch(300), NOW)
    model.observe(batch(200, version="v2"), NOW)
    found = samples(model.readings(NOW))
    assert found["mlmon_feature_window_rows", "v1", "age", "1h"] == 300
    assert found["mlmon_feature_window_rows", "v2", "age", "1h"] == 200


def test_versions_over_the_cap_are_other_and_counted() -> None:
    overflows: list[str] = []
    settings = SETTINGS._replace(max_versions=3)
    model = Model(settings, reference_of(), on_overflow=overflows.append)
    for number in range(2, 10):
        model.observe(batch(10, version=f"v{number}"), NOW)
    assert versions_of(model) == {"v1", "v2", "v3", "other"}
    found = samples(model.readings(NOW))
    assert found["mlmon_feature_window_rows", "other", "age", "1h"] == 60
    assert overflows == ["version"] * 6


def test_the_configured_version_is_never_other() -> None:
    model = Model(SETTINGS._replace(max_versions=1), reference_of())
    model.observe(batch(10, version="v2"), NOW)
    model.observe(batch(10), NOW)
    assert versions_of(model) == {"v1", "other"}
