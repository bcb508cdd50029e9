"""The verdict of the demo: expected drift was detected, and no other."""

from __future__ import annotations

from collections.abc import Sequence

from .quality import TITLES, Measure
from .watch import FeatureDrift

BIKE, INCOME = "bike-demand", "income"
EXPECTED = (BIKE, "temp")
EXPECTED_WORSE = (BIKE, "mae")


class Verdict:
    """Records detections of the expected drift, and false alarms."""

    def __init__(self) -> None:
        self.seen_after: float | None = None
        """Seconds until the temperature drifted."""
        self.false_alarms: set[str] = set()
        """Features of incomes that drifted."""
        self.worse_after: float | None = None
        """Seconds until the quality of the rentals' predictions crossed its threshold."""

    def note(self, features: Sequence[FeatureDrift], elapsed: float) -> None:
        """Record drifted features."""
        for feature in features:
            if feature.is_drifted and feature.model == INCOME:
                self.false_alarms.add(feature.feature)
            is_expected = (feature.model, feature.feature) == EXPECTED
            if feature.is_drifted and is_expected and self.seen_after is None:
                self.seen_after = elapsed

    def note_quality(self, quality: Sequence[Measure], elapsed: float) -> None:
        """Record qualities beyond their thresholds."""
        worse = {(measure.model, measure.name) for measure in quality if measure.is_worse}
        if EXPECTED_WORSE in worse and self.worse_after is None:
            self.worse_after = elapsed

    @property
    def is_good(self) -> bool:
        return self.seen_after is not None and not self.false_alarms

    def text(self) -> str:
        """Return the verdict as text."""
        if self.seen_after is None:
            seen = f"{EXPECTED[1]} of {BIKE} has not drifted"
        else:
            seen = f"{EXPECTED[1]} of {BIKE} drifted after {self.seen_after:.0f} s"
        if self.worse_after is not None:
            title = TITLES[EXPECTED_WORSE[1]]
            seen += f", its {title} was worse than chance explains after {self.worse_after:.0f} s"
        names = ", ".join(sorted(self.false_alarms))
        return f"{seen}; {names or 'no feature'} of {INCOME} did"
