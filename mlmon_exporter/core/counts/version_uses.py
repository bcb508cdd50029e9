"""Times at which versions were last used: those alive hold one of a model's slots."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Self

from mlmon_exporter.core.labels import read_labels

OTHER_VERSION = "other"
"""The version under which rows of one version too many are counted; it takes no slot."""
IDLE_SECONDS = 3600.0
"""A version that was used in this time does not give way to one that is deployed."""

VersionName = tuple[str, str]
"""Model and version."""


class Use(NamedTuple):
    """Span in which a version was used, Unix seconds."""

    since: float
    """Time of its admission: if that changed, the version was dropped in between."""
    last: float


class VersionUses:
    """The versions of all models that are alive. Not thread-safe: its owner locks."""

    def __init__(self, uses: Mapping[VersionName, Use] | None = None) -> None:
        self.uses = dict(uses or {})

    def use(self, names: Iterable[VersionName], now: float) -> None:
        """Note that versions are used at `now`, Unix seconds."""
        for name in names:
            self.uses[name] = Use(self.uses[name].since if name in self.uses else now, now)

    def admit(self, name: VersionName, most: int, now: float) -> bool:
        """Note the use of a version, as `other` if it is new and `most` of its model have slots.

        Returns:
            Whether it has a slot.
        """
        slots = sum(model == name[0] and v != OTHER_VERSION for model, v in self.uses)
        is_admitted = name in self.uses or name[1] == OTHER_VERSION or slots < most
        self.use([name if is_admitted else (name[0], OTHER_VERSION)], now)
        return is_admitted

    def expire(self, now: float, kept_seconds: float) -> Collection[VersionName]:
        """Drop the versions that were last used over `kept_seconds` ago, and return them."""
        # A future time was written before the clock was set back: it must not count for ever.
        self.uses = {name: use._replace(last=min(use.last, now)) for name, use in self.uses.items()}
        dead = {name for name, use in self.uses.items() if use.last < now - kept_seconds}
        for name in dead:
            del self.uses[name]
        return dead

    def give_way(self, model: str, most: int, now: float) -> Collection[VersionName]:
        """Drop the versions of a model over `most`, those unused for longest first; return them.

        Deployments add versions beyond `most`; a version that was used lately stays.
        """
        held = [name for name in self.uses if name[0] == model and name[1] != OTHER_VERSION]
        held.sort(key=lambda name: self.uses[name].last)
        over = held[: max(0, len(held) - most)]
        dead = {name for name in over if self.uses[name].last < now - IDLE_SECONDS}
        for name in dead:
            del self.uses[name]
        return dead

    def gone(self, later: VersionUses) -> Collection[VersionName]:
        """Return the versions dropped between now and `later`; some may be back since."""
        return {
            name
            for name, use in self.uses.items()
            if name not in later.uses or later.uses[name].since != use.since
        }

    def of(self, model: str) -> Mapping[str, float]:
        """Return a model's versions, each with the time it was admitted, Unix seconds."""
        return {version: use.since for (name, version), use in self.uses.items() if name == model}

    def merge(self, other: Self) -> None:
        """Take the later times of each version."""
        for name, use in other.uses.items():
            self.uses[name] = Use(*map(max, self.uses.get(name, use), use))

    merge_max = merge

    def to_form(self) -> list[Any]:
        """Return all as plain lists, for the state on disk."""
        return [[*name, *use] for name, use in self.uses.items()]

    def loaded(self, form: Any) -> Self:
        """Return the uses read from that form; raises ValueError or TypeError if damaged."""
        if not isinstance(form, list):
            raise TypeError(f"versions: expected a list, got {form!r:.80}")
        uses = {}
        for *name, since, last in form:
            model, version = read_labels(name, 2)
            uses[model, version] = Use(float(since), float(last))
        if not all(math.isfinite(moment) for use in uses.values() for moment in use):
            raise ValueError("versions: expected times, got others")
        return type(self)(uses)
