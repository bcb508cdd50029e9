"""The versions of a model: which are admitted, and what each has counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from mlmon_exporter.core import keys
from mlmon_exporter.core.counts.version_uses import OTHER_VERSION
from mlmon_exporter.core.drift.history import WindowSummary
from mlmon_exporter.core.keys import TallyKey
from mlmon_exporter.core.outcomes import tally_bytes
from mlmon_exporter.core.outcomes.differences import differences
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.outcomes.scorer import OutcomeScorer, Tallies
from mlmon_exporter.core.outcomes.tally_bytes import AnyTally
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.core.windows.served import Columns, served_columns

from .version import Side, Source, Version, setup_of


class Versions:
    """The versions of a model, and their tallies by key. Each side locks for itself.

    At most `max_versions` are admitted at a time; a version that is not used for long gives its
    slot back. Where counts are shared, the store decides which versions there are.
    """

    def __init__(
        self,
        settings: ModelSettings,
        reference: ModelReference,
        scorer: OutcomeScorer | None,
        on_overflow: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._on_overflow = on_overflow
        self._setup = setup_of(settings, reference, scorer)
        stretches = {side: each.stretches for side, each in self._setup.dependences.items()}
        self._stretches = {
            side: Side(stretches[of].counted, stretches[of].loaded)
            for side, of in keys.STRETCHES.items()
            if of in stretches
        }
        self._versions: dict[str, Version] = {}
        self._last: dict[str, float] = {}  # version -> Unix seconds of its last use here
        self._stored: Mapping[str, float] | None = None  # version -> Unix seconds of its start
        self._shows_waiting = False
        self._version(settings.version)

    def admit(self, name: str, now: float) -> tuple[str, Version]:
        """Return the version that rows seen at `now`, Unix seconds, count for, and its name.

        It is `other` if there are too many.
        """
        if self.is_full_for(name):
            self._on_overflow("version")
            name = OTHER_VERSION
        self._last[name] = max(now, self._last.get(name, now))
        return name, self._version(name)

    def is_full_for(self, version: str) -> bool:
        """Return whether a version is one too many."""
        if version in self._versions:
            return False
        known = {OTHER_VERSION, *self._versions, *self._last, *(self._stored or ())}
        return version not in known and len(known) - 1 >= self._settings.max_versions

    def expire(self, now: float, named: Iterable[str] = ()) -> list[str]:
        """Drop the versions that were not used for long, and return them.

        Args:
            now: Unix seconds.
            named: Other versions that have counts; those not known count as used now.
        """
        for version in (*self._versions, *named):
            self._last.setdefault(version, now)
        return self._drop_unused(now)

    def _drop_unused(self, now: float) -> list[str]:
        """Drop what was not used for long; those of the store stay."""
        before = now - self._settings.version_kept_seconds
        kept = {self._settings.version, *(self._stored or ())}
        # A time in the future is from before the clock was set back.
        self._last.update({v: now for v, last in list(self._last.items()) if last > now})
        unused = [
            version
            for version in {*self._versions, *self._last} - kept
            if self._last.get(version, -math.inf) < before
        ]
        for version in unused:
            self._versions.pop(version, None)
            self._last.pop(version, None)
        return unused

    def follow(self, stored: Mapping[str, float], now: float) -> bool:
        """Follow the versions of the store: drop those that it has dropped.

        Args:
            stored: Version -> Unix seconds of its start.
            now: Unix seconds.

        Returns:
            Whether all stored tallies must be loaded again, as some may not be.
        """
        known, self._stored = self._stored, stored
        dropped = [v for v, start in (known or {}).items() if stored.get(v) != start]
        for version in dropped:
            for side in self._versions[version].sides.values() if version in self._versions else ():
                side.loaded.take()
        self._drop_unused(now)
        return known is None or any(version in stored for version in dropped)

    def _version(self, name: str) -> Version:
        """Return a version that was admitted, a new one if it was never seen."""
        known = self._versions.get(name)
        return known or self._versions.setdefault(name, Version(name, self._setup))

    def take(self) -> Tallies:
        """Remove and return all that was counted since the last call."""
        self.drain(lambda: None)
        return self._each(lambda side: side.counted.take())

    def loaded(self) -> Tallies:
        """Return all tallies that readings are made of; they are not copied."""
        return self._each(lambda side: side.loaded.panes())

    def show_waiting(self, is_shown: bool) -> None:
        """Have readings include what `take` would give, or no longer; for state that is shared."""
        self._shows_waiting = is_shown
        for version in list(self._versions.values()):
            for side in version.sides.values():
                side.loaded.lay_over(side.counted if is_shown else None)

    def _each(self, of: Callable[[Side], Mapping[tuple[float, int], AnyTally]]) -> Tallies:
        versions = [(name, version.sides) for name, version in list(self._versions.items())]
        return {
            TallyKey(name, i, side.counted.layout.fingerprint, *pane): tally
            for name, sides in (*versions, (keys.ALL_VERSIONS, self._stretches))
            for i, side in sides.items()
            for pane, tally in of(side).items()
        }

    def restore(self, tallies: Mapping[TallyKey, AnyTally]) -> None:
        """Add tallies that were taken, or those of outcomes; those of other columns are ignored."""
        for key, tally in tallies.items():
            # Mostly, its rows were admitted when they came.
            is_over = key.side not in keys.STRETCHES and self.is_full_for(key.version)
            side = self._side(OTHER_VERSION if is_over else key.version, key)
            if side is not None:
                side.counted.restore(key.pane_key, tally)

    def load(self, key: TallyKey, data: bytes) -> None:
        """Replace a tally with the stored one; one of other columns is ignored.

        Raises:
            ValueError: The bytes are no tally.
        """
        side = self._side(key.version, key)
        if side is not None:
            tally = tally_bytes.from_bytes(data)
            if key.side in keys.STRETCHES:
                tally.pack()  # there are many, and few change
            side.loaded.load(key.pane_key, tally)

    def _side(self, version: str, key: TallyKey) -> Side | None:
        is_stretch = key.side in keys.STRETCHES
        side = (self._stretches if is_stretch else self._version(version).sides).get(key.side)
        is_ours = side is not None and side.counted.has_place(key.layout, key.window_seconds)
        return side if is_ours else None

    def drain(self, pause: Callable[[], None] = lambda: None) -> None:
        """Tally all rows that were added before."""
        for version in list(self._versions.values()):
            version.drain(pause)

    def _stored_versions(self) -> list[Version]:
        """Return our own version, and those of the store; all where there is none, or shown too."""
        stored, own = None if self._shows_waiting else self._stored, self._settings.version
        known = list(self._versions.items())
        return [v for name, v in known if stored is None or name == own or name in stored]

    def knows_dependence(self, now: float) -> bool:
        """Tell whether live traffic has shown how rows depend on each other."""
        return self._knows(now, keys.FEATURES) or self._knows(now, keys.OUTPUTS)

    def knows_outcome_dependence(self, now: float) -> bool:
        """Tell whether it has shown that of outcomes."""
        return self._knows(now, keys.RESIDUALS)

    def _knows(self, now: float, side: int) -> bool:
        dependence = self._setup.dependences.get(side)
        return dependence is not None and dependence.is_known(now)

    def sources(self) -> Iterator[Source]:
        """Give the sources of readings of all versions, to be asked in this order."""
        champion = self._versions[self._settings.version]
        for version in self._stored_versions():
            yield from version.sources
            if version is not champion and version.quality and champion.quality:
                yield partial(differences, champion.quality, version.quality)

    def served(self, name: str, now: float, seconds: float, *, keeps_bins: bool) -> list[Columns]:
        """Return references of features, outputs and derived columns.

        They are those of a version's window of `seconds`.
        """
        at = [window.seconds for window in self._settings.windows].index(seconds)
        sides = self._version(name).sides
        return [
            served_columns(matrix, sides[side].loaded.merged(now)[at], keeps_bins=keeps_bins)
            for side, matrix in self._setup.matrices.items()
        ]

    def history(self, now: float) -> Iterator[WindowSummary]:
        """Give a summary of each side of all versions in each window; readings come first."""
        for version in self._stored_versions():
            yield from version.history(now)
