from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from mlmon_exporter.assets.rules import Settings
from mlmon_exporter.assets.rules.all_scores import Plan, Window, all_groups
from mlmon_exporter.assets.rules.fleet import FILE, SUSPECT, fleet_file, fleet_groups
from mlmon_exporter.assets.rules.fleet_expressions import MOST_BINS
from mlmon_exporter.assets.rules.rule_files import rule_file
from mlmon_exporter.core.drift.readings import ROLES
from mlmon_exporter.core.profile.bins import OWN_BIN_SHARE, choose_bin_edges
from mlmon_exporter.core.stats import scores
from mlmon_exporter.metrics.table import METRICS

from . import fleet_scores
from .conftest import Promtool
from .fleet_cases import (
    ALERTS,
    HOUR_CASES,
    SHORT_DAY,
    TEST_FILES,
    Case,
    all_hour_test,
    day_test,
    short_day_test,
)
from .fleet_traffic import notation

RULES = [rule for group in [*fleet_groups(), *all_groups()] for rule in group.rules]
ALL = Settings(has_all_scores=True)
RECORDED = {rule.record for rule in RULES}


# --- The files ---


@pytest.mark.parametrize("name", TEST_FILES)
def test_the_committed_promtool_tests_are_what_the_code_makes(name: str) -> None:
    committed = (ALERTS / "tests" / name).read_text()
    assert committed == TEST_FILES[name](), "run: python -m tests.assets.rules.fleet_cases"


def test_promtool_has_no_complaints(promtool: Promtool) -> None:
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS / FILE) == ""


@pytest.mark.parametrize("name", TEST_FILES)
def test_scores_are_those_of_the_pooled_rows(promtool: Promtool, name: str) -> None:
    assert promtool("test", "rules", ALERTS / "tests" / name) == ""


@pytest.mark.parametrize(
    ("rules", "test"),
    [
        (fleet_file(ALL), all_hour_test),
        (fleet_file(ALL), day_test),
        (rule_file(all_groups(SHORT_DAY), ""), short_day_test),
    ],
    ids=["hour", "day", "a window forgets what left it"],
)
def test_all_scores_are_those_of_the_pooled_rows(
    promtool: Promtool, tmp_path: Path, rules: str, test: Callable[[str], str]
) -> None:
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "test.yml").write_text(test("rules.yml"))
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml") == ""
    assert promtool("test", "rules", tmp_path / "test.yml") == ""


def test_a_fleet_has_not_drifted_where_its_replicas_have_not_in_the_mean_by_rows() -> None:
    rng = np.random.default_rng(3)
    reference = np.array([3000.0, 2000, 1000, 500, 200, 0])
    drifted, threshold = 0, 0.1
    for _ in range(3000):
        shares = rng.dirichlet(reference / 40 + 0.1)
        replicas = rng.multinomial(rng.integers(20, 2000), shares, rng.integers(1, 9))
        pooled = fleet_scores.psi(reference, replicas.sum(axis=0).astype(float))
        if pooled > threshold:
            drifted += 1
            scores = [fleet_scores.psi(reference, r.astype(float)) for r in replicas]
            assert np.average(scores, weights=replicas.sum(axis=1)) > SUSPECT * threshold
    assert drifted > 30


# --- Names ---


def test_names_are_level_metric_operations() -> None:
    for record in RECORDED:
        sides = "|".join(f"{role.label}(_bin)?:{role.prefix}" for role in ROLES)
        assert re.fullmatch(rf"({sides})_[a-z_]+:[a-z0-9]+", record)


def test_what_is_used_is_exposed_or_recorded_before() -> None:
    known = METRICS.keys() | set()
    for rule in RULES:
        expression = re.sub(r'"[^"]*"', "", rule.expr)
        used = set(re.findall(r"(?:\w+:)?mlmon_\w+(?::\w+)?", expression))
        assert used
        assert used <= known, rule.record
        known |= {rule.record}


@pytest.mark.parametrize("score", fleet_scores.NAMES)
def test_both_sides_and_all_windows_have_each_score(score: str) -> None:
    for window in ("1h", "1d"):
        assert f"feature:mlmon_feature_{score}:{window}" in RECORDED
        assert f"output:mlmon_prediction_{score}:{window}" in RECORDED


def test_a_score_of_the_fleet_has_the_name_of_the_gauge() -> None:
    ours = {"psi_noise", "hellinger_distance"}
    for score in set(fleet_scores.NAMES) - ours:
        assert f"mlmon_feature_{score}" in METRICS


def test_a_window_can_be_any_duration() -> None:
    plan = Plan((Window("90s", "5s", is_from_rate=True),), rate_range="5s", every="500ms")
    text = rule_file(all_groups(plan), "")
    assert "record: feature:mlmon_feature_psi:90s" in text
    assert (
        "0.5 * sum by (cluster, namespace, job, model, version, feature, kind, bin) "
        "(sum_over_time(feature_bin:mlmon_feature_bin_rows:rate5s[90s]))"
    ) in text
    with pytest.raises(ValueError, match="duration: expected one such as '1m', got '1 minute'"):
        all_groups(Plan((Window("1d", "5m", is_from_rate=True),), every="1 minute"))


# --- The numbers that promtool compares with ---


@pytest.mark.parametrize("case", HOUR_CASES, ids=lambda case: case.name)
def test_expected_scores_are_those_of_the_exporter(case: Case) -> None:
    for column in case.columns:
        reference = np.asarray(column.reference, dtype=float)
        current = column.current("1h", case.at)
        for name in ("psi", "js_distance", "l_infinity"):
            (exporters,) = getattr(scores, name)(reference, current)
            ours = getattr(fleet_scores, name)(reference, current)
            assert ours == pytest.approx(exporters, abs=1e-7)
        if column.kind == "numeric":
            (exporters,) = scores.ks_statistic(reference[:-1], current[:-1])
            ours = fleet_scores.ks_statistic(reference, current)
            assert ours == pytest.approx(exporters, nan_ok=True)


def test_expected_scores_by_hand() -> None:
    quarters, one = np.array([25.0, 25, 25, 25, 0]), np.array([60.0, 0, 0, 0, 0])
    assert fleet_scores.hellinger_distance(quarters, one) == pytest.approx(0.5**0.5)
    assert fleet_scores.ks_statistic(quarters, one) == 0.75
    assert fleet_scores.l_infinity(quarters, one) == 0.75
    assert fleet_scores.js_distance(quarters, quarters) == 0.0
    smoothed = np.array([60.5, 0.5, 0.5, 0.5, 0.5]) / 62.5
    before = np.array([25.5, 25.5, 25.5, 25.5, 0.5]) / 102.5
    by_hand = sum((c - r) * np.log(c / r) for c, r in zip(smoothed, before, strict=True))
    assert fleet_scores.psi(quarters, one) == pytest.approx(by_hand)


@pytest.mark.parametrize("bins", [3, 5, 11, 20, 53])
def test_noise_is_the_quantile_of_chi_square(bins: int) -> None:
    noise = fleet_scores.psi_noise(np.full(bins, 100.0), np.full(bins, 30.0))
    exact = chi2.isf(0.001, bins - 1) * (1 / (100 * bins) + 1 / (30 * bins))
    assert noise == pytest.approx(exact, rel=0.025 if bins < 4 else 0.02)


@pytest.mark.parametrize("rows", [100, 1000, 1_000_000])
@pytest.mark.parametrize("shares", [[*[1] * 10, 0], [50, 30, 15, 4, 0.8, 0.15, 0.05, 0, 0]])
def test_unchanged_traffic_hardly_ever_exceeds_noise(shares: list[float], rows: int) -> None:
    rng = np.random.default_rng(0)
    windows, share = 10_000, np.array(shares) / np.sum(shares)
    reference = rng.multinomial(10_000, share, windows).astype(float)
    current = rng.multinomial(rows, share, windows).astype(float)
    psi = scores.psi(reference.ravel(), current.ravel(), np.arange(windows) * len(share))
    noise = fleet_scores.psi_noise(reference[0], current[0])
    assert (psi > noise).mean() <= 0.003


# --- Bins ---


def test_no_column_has_more_bins_than_the_rules_add_up() -> None:
    worst = 0
    for atoms in range(1, round(1 / OWN_BIN_SHARE) + 1):
        # Atoms that just have bins of their own; what is left is spread thinly between them.
        between = max(100_000 - 5_000 * atoms, 0) // (atoms + 1) // 10
        counts = np.array([*([between] * 10 + [5_000]) * atoms, *[between] * 10])
        values = np.arange(len(counts), dtype=float)
        edges = np.union1d(values[:-1], np.nextafter(values[10::11], -np.inf))
        cells = np.zeros(len(edges) + 1, dtype=np.int64)
        np.add.at(cells, np.searchsorted(edges, values), counts)
        worst = max(worst, len(choose_bin_edges(edges, cells, values[10::11])) + 1)
    assert 30 < worst <= MOST_BINS <= 100, "a bin's name has two digits"


def test_importing_the_exporter_imports_no_rules() -> None:
    code = (
        "import sys; from mlmon_exporter import instrument, Monitor\n"
        "import mlmon_exporter.cli.server\n"
        "print([name for name in sys.modules if name.startswith('mlmon_exporter.assets.rules')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        ([5.0, 7.0, 9.0, 11.0], "5+2x3"),
        ([None, None, 3.0], "_x2 3+0x0"),
        ([1.0, None, 0.5, 1.0, 0.0], "1+0x0 _x1 0.5+0.5x1 0+0x0"),
        ([0.0, 0.0, 4.0], "0+0x1 4+0x0"),
    ],
)
def test_samples_in_the_notation_of_promtool(samples: list[float | None], text: str) -> None:
    assert notation(samples) == text
