"""Facts about `mlmon-exporter build-reference --from-state`, and `--like`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from tests.command_line import error, run, succeeded


def rows(count: int, seed: int, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.0, count)
    kind = np.array(["a", "b", "new"], dtype=object)[rng.integers(0, 3 if shift else 2, count)]
    return {"x": x, "kind": kind, "p": rng.random(count), "y": rng.integers(0, 2, count)}


@pytest.fixture
def config(folder: Path) -> Path:
    """Served rows in a state directory; the same rows are in `log.csv`."""
    Reference.build(rows(5000, 0), predictions="p", ground_truth="y", model="m").save("old.json")
    (folder / "mlmon.toml").write_text(
        'state_dir = "state"\nwindows = ["1h", "24h"]\n'
        '[[models]]\nname = "m"\nreference = "old.json"\n'
    )
    data = rows(3000, 1, shift=0.8)
    with Monitor("mlmon.toml") as monitor:
        features = {name: data[name] for name in ("x", "kind")}
        monitor.observe(features, {"p": data["p"]}, now=time.time())
        assert monitor.flush()
    pyarrow.csv.write_csv(pa.table(data), "log.csv")
    return folder / "mlmon.toml"


def column(path: str, name: str) -> ColumnReference:
    columns = Reference.load(path).features
    return next(column for column in columns if column.name == name)


def test_a_reference_of_what_was_served_says_what_it_lacks(config: Path) -> None:
    base = ("build-reference", "--from-state", "--model", "m", "--config", config)
    text = succeeded(*base, "--out", "new.json")
    assert "2 features, 1 output, 3 000 rows" in text
    assert "kind: 1 0" in text
    assert "rows had categories that the old reference never had" in text
    assert "quality is still compared with the old reference's" in text
    succeeded(*base, "--window", "1h", "--keep-bins", "--out", "kept.json")
    old, new, kept = (column(name, "x") for name in ("old.json", "new.json", "kept.json"))
    assert isinstance(old.bins, NumericBins)
    assert isinstance(new.bins, NumericBins)
    assert isinstance(kept.bins, NumericBins)
    assert kept.bins.bin_edges.tolist() == old.bins.bin_edges.tolist()
    assert new.bins.bin_edges.tolist() != old.bins.bin_edges.tolist()
    assert kept.counts.tolist() == new.counts.tolist()
    calm = run("compare", "log.csv", "--reference", "new.json", "--json")
    assert calm.exit_code == 0, calm.stdout
    assert run("compare", "log.csv", "--reference", "old.json", "--json").exit_code == 1


def test_a_log_is_counted_in_the_bins_of_another_reference(config: Path) -> None:
    arguments = ("build-reference", "log.csv", "--like", "old.json", "--ground-truth", "y")
    succeeded(*arguments, "--out", "like.json")
    base = ("build-reference", "--from-state", "--model", "m", "--config", config)
    succeeded(*base, "--keep-bins", "--out", "kept.json")
    like, kept = (column(name, "x") for name in ("like.json", "kept.json"))
    assert like.counts.tolist() == kept.counts.tolist()
    kinds = [column(name, "kind") for name in ("old.json", "like.json", "kept.json")]
    assert len({kind.bins.bin_names for kind in kinds}) == 1
    # A log tells the name of what is new, which the state has counted as unseen.
    new = kinds[1].counts[-3]
    assert kinds[2].counts.tolist() == [*kinds[1].counts[:-3], 0, new, 0]
    made = Reference.load("like.json")
    assert made.model == "m"
    assert made.outcomes is not None
    assert made.rows == 3000


def test_mistakes_are_named_in_a_line(config: Path, folder: Path) -> None:
    base = ("build-reference", "--from-state", "--config", config)
    assert error(*base, "--model", "n") == "--model: expected a configured model, m, got 'n'"
    assert error(*base, "--model", "m", "--window", "2h") == (
        "--window: expected one of 1h, 24h, got '2h'"
    )
    assert "state: expected rows of m v9 in the window" in error(
        *base, "--model", "m", "--version", "v9"
    )
    assert "state_dir: expected the folder" in error("build-reference", "--from-state")
    (folder / "x.csv").write_text("a\n1\n")
    assert error("build-reference", "x.csv", "--like", "old.json") == (
        "x.csv: expected columns of the reference, x, kind, p; got a"
    )
    assert json.loads((folder / "old.json").read_text())


def test_check_takes_the_traffic_from_the_state(config: Path) -> None:
    text = " ".join(succeeded("check", "--config", config).split())
    # 3 000 rows in the window of a day.
    given = " ".join(succeeded("check", "--config", config, "--rows-per-day", "3000").split())
    assert "in a window of 24h: 1 sd is seen after" in text
    assert text == given
