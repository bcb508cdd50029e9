"""What the demo expects to be seen, and whether it was."""

from __future__ import annotations

from collections.abc import Sequence

from .quality import TITLES, Measure
from .watch import FeatureDrift

BIKE, INCOME = "bike-demand", "income"
EXPECTED = (BIKE, "temp")
EXPECTED_WORSE = (BIKE, "mae")


class Verdict:
    """Whether the drift that is there was seen, and none that is not."""

    def __init__(self) -> None:
        self.seen_after: float | None = None
        """Seconds after which the temperature was said to drift."""
        self.false_alarms: set[str] = set()
        """Features of incomes that were said to."""
        self.worse_after: float | None = None
        """Seconds after which predictions of rentals were said to be worse."""

    def note(self, features: Sequence[FeatureDrift], elapsed: float) -> None:
        """Take in how features fare."""
        for feature in features:
            if feature.is_drifted and feature.model == INCOME:
                self.false_alarms.add(feature.feature)
            is_expected = (feature.model, feature.feature) == EXPECTED
            if feature.is_drifted and is_expected and self.seen_after is None:
                self.seen_after = elapsed

    def note_quality(self, quality: Sequence[Measure], elapsed: float) -> None:
        """Take in how good predictions are."""
        worse = {(measure.model, measure.name) for measure in quality if measure.is_worse}
        if EXPECTED_WORSE in worse and self.worse_after is None:
            self.worse_after = elapsed

    @property
    def is_good(self) -> bool:
        return self.seen_after is not None and not self.false_alarms

    def text(self) -> str:
        """Return it in words."""
        if self.seen_after is None:
            seen = f"{EXPECTED[1]} of {BIKE} has not drifted"
        else:
            seen = f"{EXPECTED[1]} of {BIKE} drifted after {self.seen_after:.0f} s"
        if self.worse_after is not None:
            title = TITLES[EXPECTED_WORSE[1]]
            seen += f", its {title} was worse than chance explains after {self.worse_after:.0f} s"
        names = ", ".join(sorted(self.false_alarms))
        return f"{seen}; {names or 'no feature'} of {INCOME} did"
