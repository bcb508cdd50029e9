"""Facts about the settings of a configured model: keys of the same name, or of a stated one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter import Config, ModelConfig
from mlmon_exporter.core.settings import ModelSettings, Policy, SegmentFeature, WindowName
from mlmon_exporter.reference.settings import model_settings, segment_feature


def test_without_configuration_the_defaults_of_the_core_hold() -> None:
    config = Config()
    assert model_settings(config, config.models[0]) == ModelSettings("default")


def test_each_key_that_the_core_reads_reaches_it(tmp_path: Path) -> None:
    config = Config.from_options(
        None,
        model="bike",
        version="7",
        task="regression",
        windows=["6h", "1h"],
        false_alarm_every="60d",
        min_window_rows=7,
        psi_floor=0.2,
        ks_floor=0.3,
        share_floor=0.4,
        digest="tdigest",
        learn_rows=11,
        max_categories=12,
        max_versions=13,
        max_features=14,
        feature_histograms=False,
        outputs=["riders"],
        score="p",
        label="riders",
        positive="yes",
        segments=["season", {"feature": "temp", "edges": [0.1, 0.5]}],
        max_segments=15,
        state_dir=str(tmp_path),
    )
    assert model_settings(config, config.models[0]) == ModelSettings(
        name="bike",
        version="7",
        task="regression",
        windows=(WindowName("1h", 3600.0), WindowName("6h", 21600.0)),
        policy=Policy(60 * 86400.0, 7, 0.2, 0.3, 0.4),
        engine="tdigest",
        learn_rows=11,
        max_categories=12,
        max_versions=13,
        max_features=14,
        with_histograms=False,
        outputs=("riders",),
        score="p",
        label="riders",
        positive="yes",
        segments=(SegmentFeature("season"), SegmentFeature("temp", (0.1, 0.5))),
        max_segments=15,
        is_shared=True,
    )


def test_each_setting_is_a_key_or_one_of_a_few_of_another_name() -> None:
    keys = {*Config.model_fields, *ModelConfig.model_fields}
    others = {"policy", "engine", "with_histograms", "with_quantiles", "is_shared"}
    assert {*ModelSettings._fields} - keys == others
    assert {*Policy._fields} - keys == {"budget_seconds"}


@pytest.mark.parametrize("edges", [(2.0, 1.0), (1.0, 1.0), (float("nan"),), (float("inf"),)])
def test_edges_of_segments_ascend(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="segments: age: expected ascending edges, got"):
        segment_feature(("age", edges))
