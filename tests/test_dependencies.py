"""What users' dependencies may be; `make test` has the newest of each, `make oldest` the oldest."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from .oldest import PYPROJECT, oldest

IS_OLDEST = Path(sys.prefix) == PYPROJECT.parent / "build" / "oldest" / "venv"
BOUNDS = dict(each.split("==") for each in oldest(PYPROJECT.read_text()))


@pytest.mark.parametrize("name", BOUNDS)
def test_what_is_installed_is_the_oldest_where_that_is_tested(name: str) -> None:
    installed, bound = Version(version(name)), Version(BOUNDS[name])
    assert installed == bound if IS_OLDEST else installed >= bound


PROJECT = """
[project]
name = "a"
dependencies = ["numpy>=1.26"]
[project.optional-dependencies]
cli = ["WANTED"]
demo = ["a[cli]", "uvicorn[standard]>=0.30"]
msgpack = []
grpc = []
postgres = []
proxy = []
"""


def test_the_oldest_is_the_lower_bound() -> None:
    project = PROJECT.replace("WANTED", "rich>=13.7")
    assert [*oldest(project)] == ["numpy==1.26", "rich==13.7", "uvicorn==0.30"]


@pytest.mark.parametrize("wanted", ["rich", "rich<15", "rich>=13,<15", "rich==13.7", "rich~=13.7"])
def test_users_dependencies_have_a_lower_bound_and_no_upper_one(wanted: str) -> None:
    with pytest.raises(ValueError, match=f"expected a lower bound alone, got '{wanted}'"):
        [*oldest(PROJECT.replace("WANTED", wanted))]
