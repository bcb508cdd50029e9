"""What is added to the shared state, and for which versions: a few at a time, none for ever."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.requests import Traffic
from mlmon_exporter.core.counts.version_uses import OTHER_VERSION, VersionName, VersionUses
from mlmon_exporter.core.model import Model

from .joiner import Parts
from .store import Merge, UnreadableError, Value, Writing
from .values import (
    PART,
    VERSIONS,
    merge_feedback,
    merge_part,
    merge_traffic,
    merge_uses,
    part_key,
    parts_of,
    read_feedback,
    read_traffic,
    read_uses,
    version_of_part,
)


class Added(NamedTuple):
    """What names versions, and is added at once."""

    parts: Parts
    feedback: Feedback
    traffic: Traffic

    def named(self) -> set[VersionName]:
        """Return the versions that something was counted for."""
        of_parts = {(name, key.version) for name, added in self.parts.items() for key in added}
        return of_parts | self.feedback.named() | self.traffic.named()

    def add(self, writing: Writing, models: Mapping[str, Model], now: float) -> int:
        """Add it within a transaction, and drop what has not been used for long.

        Returns:
            How many versions were too many, and became `other`.
        """
        slots = _Slots(self.named(), models, writing, now)
        writing.merge({VERSIONS: slots.claim})
        for name in slots.dead:
            writing.forget(parts_of(name))
        for key, merge in self._changes(slots.over, slots.dead):
            writing.merge({key: merge})
        return len(slots.over)

    def _changes(
        self, over: Collection[VersionName], dead: Collection[VersionName]
    ) -> Iterator[tuple[str, Merge]]:
        """Give what adds it; what has not changed is not written, so that nobody reads it anew."""
        if dead or not self.traffic.is_empty():
            traffic = self.traffic.as_other(over) if over else self.traffic
            yield "traffic", merge_traffic(traffic, dead=dead)
        if dead or not self.feedback.is_empty():
            feedback = self.feedback.as_other(over) if over else self.feedback
            yield "feedback", merge_feedback(feedback, dead=dead)
        for name, added in self.parts.items():
            for key, tally in added.items():
                is_over = (name, key.version) in over
                kept = key._replace(version=OTHER_VERSION) if is_over else key
                yield part_key(name, kept), merge_part(tally, kept)


class _Slots:
    """Which versions are too many, and which are dead: known once merged.

    It is decided here for all processes: if each had its own answer, the counts of `other` would
    go up and down with the process that is asked.
    """

    def __init__(
        self, named: set[VersionName], models: Mapping[str, Model], writing: Writing, now: float
    ) -> None:
        self.over: Collection[VersionName] = ()
        self.dead: Collection[VersionName] = ()
        self._named = {name for name in named if name[0] in models}
        self._models = models
        self._writing = writing
        self._now = now

    def claim(self, old: Value | None) -> Value:
        """Merge that versions are used."""
        uses, settings = self._uses(old), [model.settings for model in self._models.values()]
        # Versions that are configured are there as long as a process is, and never too many.
        own = {(s.name, s.version) for s in settings}
        uses.use(own | (self._named & uses.uses.keys()), self._now)
        kept_seconds = max((s.version_kept_seconds for s in settings), default=0.0)
        dead = {*uses.expire(self._now, kept_seconds)}
        for s in settings:
            dead |= {*uses.give_way(s.name, s.max_versions, self._now)}
        self.dead = dead
        self.over = {
            name
            for name in sorted(self._named - own)
            if not uses.admit(name, self._models[name[0]].settings.max_versions, self._now)
        }
        return merge_uses(uses)(None)

    def _uses(self, old: Value | None) -> VersionUses:
        if old is not None:
            return read_uses(old.data)
        uses = VersionUses()
        uses.use(_versions_in(self._writing), self._now)
        return uses


def _versions_in(writing: Writing) -> Iterator[VersionName]:
    """Give all versions of a file that does not say when they were used."""
    for key in writing.keys(PART):
        with contextlib.suppress(UnreadableError):
            yield version_of_part(key)
    traffic, feedback = map(writing.get, ("traffic", "feedback"))
    with contextlib.suppress(UnreadableError):
        yield from read_traffic(traffic.data).named() if traffic is not None else ()
    with contextlib.suppress(UnreadableError):
        yield from read_feedback(feedback.data).named() if feedback is not None else ()
