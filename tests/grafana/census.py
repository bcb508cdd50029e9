"""How much each panel has to show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set
from typing import Any, NamedTuple

from .boards import panels
from .nothing import may_be_empty, word_of
from .viewer import Viewer


class Count(NamedTuple):
    """What a panel has to show."""

    title: str
    series: int
    values: int
    finite: int
    word: str
    """What it says when that is nothing."""
    may_be_empty: bool

    @property
    def is_wrong(self) -> bool:
        if not self.series:
            return not self.may_be_empty
        return self.finite < self.values

    def text(self) -> str:
        """Return it in a line."""
        if not self.series:
            found = f"empty, says {self.word!r}"
        else:
            found = f"{self.series} series, {self.finite} finite of {self.values} values"
        return f"{'WRONG ' if self.is_wrong else ''}{self.title}: {found}"


def census(
    board: dict[str, Any], viewer: Viewer, values: dict[str, str], traits: Set[str]
) -> Iterator[Count]:
    """Count what each panel of a board shows with these variables, of what has these traits."""
    for panel in panels(board):
        found = [series for query in panel["targets"] for series in viewer.answer(query, values)]
        numbers = [number for series in found for number in series]
        finite = sum(map(math.isfinite, numbers))
        may_be = may_be_empty(panel, traits)
        yield Count(panel["title"], len(found), len(numbers), finite, word_of(panel), may_be)
