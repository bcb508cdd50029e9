"""A pytest module that fails where rows are no longer as a model knows them.

    REFERENCE=m.reference.json ROWS=new.csv pytest examples/test_rows.py

Needs `pip install 'mlmon-exporter[cli]' pytest`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.csv
import pytest

from mlmon_exporter import Comparison, Reference

REFERENCE = Path(os.environ.get("REFERENCE", "model.reference.json"))
ROWS = Path(os.environ.get("ROWS", "data/new.csv"))


@pytest.fixture(scope="module")
def found() -> Comparison:
    """The comparison of all rows."""
    return Reference.load(REFERENCE).compare(pyarrow.csv.read_csv(ROWS), window="7d")


def test_there_are_rows_enough_to_tell(found: Comparison) -> None:
    assert not [f"{c.name}: {c.inactive}" for c in found.columns if c.is_drifted is None]


@pytest.mark.parametrize("name", [c.name for c in Reference.load(REFERENCE).features])
def test_the_feature_has_not_drifted(found: Comparison, name: str) -> None:
    check = next(c for c in found.columns if c.name == name)
    assert not check.is_drifted, f"{check.score} {check.value:.3g} over {check.threshold:.3g}"
