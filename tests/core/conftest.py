"""What the tests of `core/` are run over: every distribution, both digest engines."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.stats.digests import ENGINES

from .distributions import DISTRIBUTIONS, Distribution


@pytest.fixture(params=list(DISTRIBUTIONS.values()), ids=list(DISTRIBUTIONS))
def distribution(request: pytest.FixtureRequest) -> Distribution:
    made: Distribution = request.param
    return made


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)
