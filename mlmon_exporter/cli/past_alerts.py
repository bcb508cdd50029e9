"""The bundled rules over a past that was replayed, evaluated by Prometheus' engine in promtool.

A Prometheus server evaluates rules only as time goes by, and `create-blocks-from rules` leaves
alerts out. `promtool test rules` evaluates them, `for` and `keep_firing_for` included, over series
that a file gives: here, what scrapes would have shown, held until the next look.
"""

from __future__ import annotations

import ast
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import yaml

from mlmon_exporter.assets.rules import DEFAULTS, Settings, files
from mlmon_exporter.assets.rules.notices import Firing, Notice, notices
from mlmon_exporter.assets.rules.rule_files import yaml_text
from mlmon_exporter.core.records import Block
from mlmon_exporter.metrics.batch import PAST_PLACE
from mlmon_exporter.metrics.text import Exposition

LOADED = ("recording/", "alerting/")
"""Folders of rule files that Prometheus loads, in the order of their evaluation."""
LONGEST_STEP = "5m"
"""Between samples and between evaluations: Prometheus forgets a sample after it, and the `for` of
all rules on models' numbers is a multiple."""
STRETCH, WARM_UP = "7d", "26h"
"""Time that is evaluated at once, in bounded memory, and the time before it, which rules look at:
a day, an hour of `for` and one of `keep_firing_for`."""
_FIRING = 'ALERTS{alertstate="firing",severity!="heartbeat"}'
_LABEL = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')
_LABELS = re.compile(rf"\{{(?:{_LABEL.pattern}(?:, )?)+\}}")
_EDGE = "edge"
"""The label that carries whether alerts began or ended, and at which step."""


class _Look(NamedTuple):
    at: float
    """Unix seconds."""
    values: Mapping[str, str]
    """Series -> value."""


class PastAlerts:
    """Alerts of the past, evaluated stretch by stretch. Not thread-safe."""

    def __init__(
        self,
        promtool: str,
        every: float,
        settings: Settings = DEFAULTS,
        stretch: str = STRETCH,
    ) -> None:
        """Start before the first look.

        Args:
            promtool: The program.
            every: Seconds between looks.
            settings: Of the rules.
            stretch: Time that is evaluated at once.
        """
        self._promtool = promtool
        self._every = every
        self._settings = settings
        self._stretch = settings.span_seconds(stretch)
        self._step = every / math.ceil(every / settings.span_seconds(LONGEST_STEP))
        rules = files(settings)
        self._rules = {name: text for name, text in rules.items() if name.startswith(LOADED)}
        self._read = frozenset(re.findall(r"\bmlmon_\w+", " ".join(self._rules.values())))
        self._text = Exposition(is_open_metrics=False)
        self.restart()

    def restart(self) -> None:
        """Forget what was added."""
        self._looks: list[_Look] = []
        self._begin = -math.inf  # of the stretch that is not evaluated yet
        self._firings: list[Firing] = []

    def add(self, now: float, blocks: Iterable[Block]) -> None:
        """Add what a scrape at `now`, Unix seconds, would have shown; looks come in order."""
        if not self._looks:
            self._begin = now
        if now - self._begin >= self._stretch:
            self._evaluate(now)
            kept = now - self._settings.span_seconds(WARM_UP)
            self._looks = [look for look in self._looks if look.at >= kept]
            self._begin = now
        text = self._text.render(b for b in blocks if b.name in self._read).decode()
        values = {f"up{{{PAST_PLACE}}}": "1"}
        for line in text.splitlines():
            if not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                # The same few series come at each look.
                values[sys.intern(series.replace("{", f"{{{PAST_PLACE},", 1))] = value
        self._looks.append(_Look(now, values))

    def notices(self) -> list[Notice]:
        """Evaluate what is left; return pages and tickets by their begin.

        Raises:
            OSError: promtool cannot be run, or does not understand the file.
        """
        if self._looks and self._looks[-1].at >= self._begin:
            end = self._looks[-1].at + self._every
            self._evaluate(end)
            self._begin = math.inf
            lasting = [f._replace(end=math.inf) if f.end == end else f for f in self._firings]
            self._firings = lasting
        return notices(_joined(self._firings), self._settings)

    def _evaluate(self, end: float) -> None:
        """Evaluate the stretch up to `end`, after the time before it."""
        origin = self._looks[0].at
        steps = round((end - origin) / self._step)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for rule_file, text in self._rules.items():
                (folder / rule_file.replace("/", "-")).write_text(text, encoding="utf-8")
            test = folder / "past.yml"
            with test.open("w", encoding="utf-8") as file:
                self._write(file, steps)
            edges = _edges(self._promtool, test)
        for labels, first, last in _spans(edges, steps):
            begin, until = (origin + step * self._step for step in (first, last))
            if until > self._begin:
                firing = Firing(labels, max(begin, self._begin), min(until, end))
                self._firings.append(firing)

    def _write(self, file: TextIO, steps: int) -> None:
        """Write a test of promtool that no firing alert passes, at each step."""
        milliseconds = round(1000 * self._step)
        head = {
            "rule_files": [name.replace("/", "-") for name in self._rules],
            "evaluation_interval": f"{milliseconds}ms",
            "group_eval_order": self._groups(),
        }
        file.write(yaml_text(head))
        file.write(f"tests:\n- interval: {milliseconds}ms\n  input_series:\n")
        for series, values in self._series():
            quoted = series.replace("'", "''")
            file.write(f"  - series: '{quoted}'\n    values: {' '.join(values)}\n")
        file.write("  promql_expr_test:\n")
        before = f"{_FIRING} offset {milliseconds}ms"
        for step in range(steps):
            sides = {"begin": f"{_FIRING} unless {before}", "end": f"{before} unless {_FIRING}"}
            expr = " or ".join(
                f'label_replace({side}, "{_EDGE}", "{name} {step}", "", "")'
                for name, side in sides.items()
            )
            file.write(f"  - {{expr: '{expr}', eval_time: {step * milliseconds}ms}}\n")

    def _groups(self) -> list[str]:
        by_file = [yaml.safe_load(text)["groups"] for text in self._in_order()]
        return [group["name"] for groups in by_file for group in groups]

    def _in_order(self) -> Iterator[str]:
        for folder in LOADED:
            yield from (text for name, text in self._rules.items() if name.startswith(folder))

    def _series(self) -> Iterator[tuple[str, Iterator[str]]]:
        """Give each series and its samples in promtool's notation."""
        origin = self._looks[0].at
        places = [round((look.at - origin) / self._step) for look in self._looks]
        held = round(self._every / self._step)
        for series in dict.fromkeys(name for look in self._looks for name in look.values):
            # promtool's clock starts in 1970.
            shift = origin if "_timestamp_seconds{" in series else 0.0
            samples = [
                (place, look.values[series])
                for place, look in zip(places, self._looks, strict=True)
                if series in look.values
            ]
            yield series, _notation(samples, held, shift)


def _notation(samples: Sequence[tuple[int, str]], held: int, shift: float) -> Iterator[str]:
    """Give samples, each a step and a value that is held for some steps, run by run."""
    end, value, count = 0, "", 0
    for place, text in samples:
        own = repr(float(text) - shift) if shift else text
        if place > end or own != value:
            yield from _run(value, count)
            yield from _run("_", place - end)
            value, count = own, 0
        count += held
        end = place + held
    yield from _run(value, count)


def _run(value: str, count: int) -> Iterator[str]:
    if count > 0:
        # Of a number, `x` says how often it comes again; of a gap, how often it comes.
        yield f"_x{count}" if value == "_" else f"{value}x{count - 1}"


Edge = tuple[Mapping[str, str], str, int]
"""Labels of an alert, `begin` or `end`, and the step at which it did."""


def _edges(promtool: str, test: Path) -> list[Edge]:
    """Return when alerts began and ended to fire, from what promtool did not expect."""
    ran = subprocess.run(  # noqa: S603 the user's own program
        [promtool, "test", "rules", str(test)], capture_output=True, text=True, check=False
    )
    said = ran.stdout + ran.stderr
    found = [*_unexpected(said)]
    if ran.returncode and not found:
        raise OSError(f"promtool: {' '.join(said.split())[-400:]}")
    return found


def _unexpected(said: str) -> Iterator[Edge]:
    # Of several alerts at a step, each has its labels in braces; so has the expression.
    for match in _LABELS.finditer(said):
        labels: dict[str, str] = {n: ast.literal_eval(v) for n, v in _LABEL.findall(match[0])}
        if _EDGE not in labels:
            continue
        kind, _, step = labels.pop(_EDGE).partition(" ")
        for name in ("__name__", "alertstate"):
            labels.pop(name, None)
        yield labels, kind, int(step)


def _spans(edges: Iterable[Edge], steps: int) -> Iterator[tuple[Mapping[str, str], int, int]]:
    """Give each alert, and the first step at which it fired and the one after the last."""
    begun: dict[tuple[Any, ...], int] = {}
    for labels, kind, step in sorted(edges, key=lambda edge: edge[2]):
        key = tuple(sorted(labels.items()))
        if kind == "begin":
            begun[key] = step
        else:
            yield labels, begun.pop(key), step
    for key, first in begun.items():
        yield dict(key), first, steps


def _joined(firings: Iterable[Firing]) -> list[Firing]:
    """Return alerts that fired over the end of a stretch as one."""
    found: dict[tuple[Any, ...], list[Firing]] = {}
    for firing in firings:
        own = found.setdefault(tuple(sorted(firing.labels.items())), [])
        if own and own[-1].end == firing.begin:
            own[-1] = own[-1]._replace(end=firing.end)
        else:
            own.append(firing)
    return [firing for own in found.values() for firing in own]
