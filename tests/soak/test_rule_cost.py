from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlmon_exporter.assets.rules.fleet import MOST_SUSPECTS

from .rule_cost import MODELS, measured


def test_the_rules_score_a_bounded_number_of_features_where_all_are_suspected(
    tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    found = measured(tmp_path, services=1, suspected=1.0, binary=require_binary("prometheus"))
    assert found.scored == MODELS * MOST_SUSPECTS
    # A 300th of a minute would do; a busy machine takes longer.
    assert found.seconds.keys() >= {"mlmon-feature-suspects", "mlmon-feature-1h"}
    assert max(found.seconds.values()) < 5
