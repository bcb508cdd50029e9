"""A flush: counts that are added at once, under the versions that have a slot."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from mlmon_exporter.core.counts.counts import Counts
from mlmon_exporter.core.counts.traffic import Traffic
from mlmon_exporter.core.counts.version_uses import OTHER_VERSION, VersionName, VersionUses
from mlmon_exporter.core.keys import STRETCHES
from mlmon_exporter.core.model import Model

from .errors import UnreadableError
from .joiner import Tallies
from .store import Merge, Value, Writing
from .values import (
    COUNTS,
    LOOKS,
    TALLY,
    VERSIONS,
    M,
    merge_tally,
    merging,
    read,
    read_tally_key,
    tallies_of,
    tally_key,
)


class Flush(NamedTuple):
    """Counts that name versions, and are added in one transaction."""

    tallies: Tallies
    counts: Counts

    def named(self) -> set[VersionName]:
        """Return the versions that something was counted for."""
        of_tallies = {
            (name, key.version)
            for name, added in self.tallies.items()
            for key in added
            if key.side not in STRETCHES
        }
        return of_tallies.union(*(counts.named() for counts in self.counts))

    def add(self, writing: Writing, models: Mapping[str, Model], now: float) -> int:
        """Add it within a transaction, and drop the versions that were not used for long.

        Returns:
            Versions that were too many, and became `other`.
        """
        slots = VersionSlots(self, models, writing, now)
        writing.merge({VERSIONS: slots.claim})
        for name in slots.dead:
            writing.forget(tallies_of(name))
        self._look(writing, now)
        for key, merge in self._changes(slots.over, slots.dead):
            writing.merge({key: merge})
        return len(slots.over)

    def _look(self, writing: Writing, now: float) -> None:
        """Note the totals before this flush, once in five minutes, for the page."""
        traffic, requests = Traffic(), self.counts.requests
        with contextlib.suppress(UnreadableError):
            traffic = _stored(traffic, LOOKS, writing)
        if traffic.is_due(now):
            with contextlib.suppress(UnreadableError):
                requests = _stored(requests.like(), COUNTS["requests"], writing)
                traffic.look(requests.readings(now), now)
                writing.merge({LOOKS: merging(traffic)})

    def _changes(
        self, over: Collection[VersionName], dead: Collection[VersionName]
    ) -> Iterator[tuple[str, Merge]]:
        """Give the merges; unchanged values are not written, so that nobody reads them anew."""
        for name, counts in self.counts._asdict().items():
            if dead or not counts.is_empty():
                kept = counts.as_other(over) if over else counts
                yield COUNTS[name], merging(kept, dead=dead)
        for name, added in self.tallies.items():
            for key, tally in added.items():
                is_over = (name, key.version) in over
                own = key._replace(version=OTHER_VERSION) if is_over else key
                yield tally_key(name, own), merge_tally(tally, own)


def _stored(like: M, key: str, writing: Writing) -> M:
    """Return the counts under a key, `like` if there are none; raises UnreadableError."""
    old = writing.get(key)
    return like if old is None else read(like, key, old.data)


class VersionSlots:
    """The versions of a flush that are too many, and the dead ones: known once `claim` ran.

    The store decides for all processes: if each had its own answer, the counts of `other` would
    go up and down with the process that is asked.
    """

    def __init__(
        self, flush: Flush, models: Mapping[str, Model], writing: Writing, now: float
    ) -> None:
        self.over: Collection[VersionName] = ()
        self.dead: Collection[VersionName] = ()
        self._flush = flush
        self._models = models
        self._writing = writing
        self._now = now

    def claim(self, old: Value | None) -> Value:
        """Merge the uses of versions."""
        uses, settings = self._uses(old), [model.settings for model in self._models.values()]
        named = {name for name in self._flush.named() if name[0] in self._models}
        # Versions that are configured are there as long as a process is, and never too many.
        own = {(s.name, s.version) for s in settings}
        uses.use(own | (named & uses.uses.keys()), self._now)
        kept_seconds = max((s.version_kept_seconds for s in settings), default=0.0)
        dead = {*uses.expire(self._now, kept_seconds)}
        for s in settings:
            dead |= {*uses.give_way(s.name, s.max_versions, self._now)}
        self.dead = dead
        self.over = {
            name
            for name in sorted(named - own)
            if not uses.admit(name, self._models[name[0]].settings.max_versions, self._now)
        }
        return merging(uses)(None)

    def _uses(self, old: Value | None) -> VersionUses:
        if old is not None:
            return read(VersionUses(), VERSIONS, old.data)
        uses = VersionUses()
        uses.use(self._stored_versions(), self._now)
        return uses

    def _stored_versions(self) -> Iterator[VersionName]:
        """Give all versions of a file that does not say when they were used."""
        for key in self._writing.keys(TALLY):
            with contextlib.suppress(UnreadableError):
                model, tally = read_tally_key(key)
                if tally.side not in STRETCHES:
                    yield model, tally.version
        for name, counts in self._flush.counts._asdict().items():
            stored = self._writing.get(COUNTS[name])
            if stored is not None:
                with contextlib.suppress(UnreadableError):
                    yield from read(counts, name, stored.data).named()
