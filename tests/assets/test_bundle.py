from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter.assets.bundle import asset_files
from mlmon_exporter.assets.root import assets_root
from mlmon_exporter.assets.rules import DEFAULTS, Settings, files

ROOT = assets_root()
STRICTER = Settings(availability_objective=0.9999)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("grafana/boards/a.json", "alerts/tests/x_test.yml", "alerts/runbooks/x.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "grafana" / "build.py").write_text("code")
    (tmp_path / "grafana" / ".gitkeep").write_text("")
    (tmp_path / "other.md").write_text("")
    return tmp_path


def test_the_committed_files_are_those_of_the_default_settings() -> None:
    found = asset_files(ROOT)
    for name, text in files(DEFAULTS).items():
        assert found[f"alerts/{name}"].decode() == text, (
            f"{name}: python -m mlmon_exporter.assets.rules"
        )


def test_code_and_hidden_files_are_no_assets(root: Path) -> None:
    assert list(asset_files(root)) == [
        "grafana/boards/a.json",
        "alerts/runbooks/x.md",
        "alerts/tests/x_test.yml",
    ]


def test_with_other_settings_the_rules_are_others_and_all_else_is_the_same() -> None:
    default, other = asset_files(ROOT), asset_files(ROOT, STRICTER)
    differing = {name for name in other if other[name] != default[name]}
    assert "alerts/recording/mlmon-fleet.yml" not in differing
    assert differing
    assert differing <= {f"alerts/{name}" for name in files(STRICTER)}


def test_tests_of_the_default_rules_do_not_come_with_other_rules(root: Path) -> None:
    assert "alerts/tests/x_test.yml" in asset_files(root)
    other = asset_files(root, STRICTER)
    assert "alerts/tests/x_test.yml" not in other
    assert other["alerts/runbooks/x.md"] == b"alerts/runbooks/x.md"
    assert {name.removeprefix("alerts/") for name in other} > set(files())
