"""The demo's terminal: a live table of both models' features, or lines without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .inbox import Delivery
from .paging import Links
from .quality import TITLES, Measure, Parity
from .traffic import Speed
from .watch import BARS, FeatureDrift

_BLOCKS = " ▁▂▃▄▅▆▇█"
_OTHER_LINES = 13
"""Lines of the live page besides features."""
_DELIVERIES = 4
"""Number of the last deliveries shown."""
_PAGING_LINES = 3 + _DELIVERIES
PAGER = "pager"
KINDS = {PAGER: "page", "tickets": "ticket"}
"""Receiver -> kind of its messages."""


class Scene(NamedTuple):
    """The demo at one moment."""

    url: str
    elapsed: float
    """Seconds since the traffic began."""
    season: str
    season_left: float
    """Seconds."""
    speed: Speed
    added: Speed
    """Time that the monitor adds."""
    features: Sequence[FeatureDrift]
    """Most drifted first."""
    links: Links | None = None
    """None unless Prometheus and Alertmanager run."""
    deliveries: Sequence[Delivery] = ()
    """Alertmanager's deliveries since the traffic began, oldest first."""
    heartbeat_age: float | None = None
    """Seconds since its last heartbeat, None before the first."""
    quality: Sequence[Measure] = ()
    parity: Sequence[Parity] = ()


def page(scene: Scene, height: int) -> RenderableType:
    """Return the live page for a terminal of `height` lines."""
    others = _OTHER_LINES + (_PAGING_LINES if scene.links is not None else 0)
    if scene.quality:
        others += 2 + len(scene.quality) + len(scene.parity)
    most = max(3, (height - others) // 2)
    parts: list[RenderableType] = [
        Panel(_header(scene), title="mlmon-exporter demo"),
        table(scene.features, most),
    ]
    if scene.quality:
        parts += [Text(), quality_table(scene.quality, scene.parity)]
    if scene.links is not None:
        parts.append(_paging(scene))
    return Group(*parts)


def _header(scene: Scene) -> Text:
    minutes, seconds = divmod(int(scene.elapsed), 60)
    text = Text()
    text.append(f"{scene.season}", style="bold")
    since = f"{minutes}:{seconds:02d} since the start"
    text.append(f", {scene.season_left:.0f} s left · {since} · ctrl-c stops\n")
    text.append("open ").append(ways_text(scene.url))
    if scene.links is not None:
        text.append("\n").append(links_text(scene.links))
    text.append(f"\n{speed_text(scene.speed, scene.added)}")
    return text


def ways_text(url: str) -> Text:
    """Return the addresses of the page, the metrics and the forms for requests."""
    paths = ("/mlmon", "/metrics", "/docs")
    page, metrics, docs = ((f"{url}{path}", "bold cyan") for path in paths)
    return Text.assemble(page, ", ", metrics, " and ", docs)


def links_text(links: Links) -> Text:
    """Return the addresses of Prometheus and Alertmanager."""
    return Text.assemble(
        "Prometheus ",
        (links.prometheus, "bold cyan"),
        " · Alertmanager ",
        (links.alertmanager, "bold cyan"),
    )


def _paging(scene: Scene) -> Text:
    """Return the last deliveries, a line each, padded to a fixed number of lines."""
    age = scene.heartbeat_age
    heard = "no heartbeat yet" if age is None else f"last heartbeat {age:.0f} s ago"
    text = Text.assemble("\n", ("sent by Alertmanager", "bold"), f"; {heard}")
    last = scene.deliveries[-_DELIVERIES:]
    for delivery in last:
        text.append("\n").append(delivery_text(delivery))
    text.append("\n" * (_DELIVERIES - len(last)))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def delivery_text(delivery: Delivery) -> Text:
    """Return a delivery in a line: time, receiver, alerts and their columns."""
    kind = KINDS.get(delivery.receiver, delivery.receiver)
    style = "" if delivery.is_resolved else "bold red" if kind == "page" else "yellow"
    about: dict[str, list[str]] = {}
    for notice in delivery.notices:
        about.setdefault(f"{notice.name} {notice.model}".strip(), []).append(notice.column)
    texts = [name + (f": {', '.join(of)}" if any(of) else "") for name, of in about.items()]
    return Text.assemble(
        f"{delivery.at:4.0f} s  ",
        (f"{kind} resolved" if delivery.is_resolved else f"{kind:<6}", style),
        f"  {'; '.join(texts)}",
    )


def print_page(console: Console, deliveries: Sequence[Delivery]) -> None:
    """Print the first page that arrived."""
    pages = [d for d in deliveries if d.receiver == PAGER and not d.is_resolved]
    if not pages:
        console.print("No page has arrived yet: drift must last a while before it pages.")
        return
    first, *others = pages[0].notices
    more = f" (and {', '.join(other.column or other.name for other in others)})" if others else ""
    console.print(f"Paged after {pages[0].at:.0f} s: {first.summary}{more}.", soft_wrap=True)
    console.print(f"Its runbook: {first.runbook}", soft_wrap=True)


def speed_text(speed: Speed, added: Speed) -> str:
    """Return rate, latencies, and the time that the monitor adds, as text."""
    text = f"{speed.requests_per_second:.0f} requests/s"
    if speed.p50_seconds == speed.p50_seconds:
        text += f", p50 {speed.p50_seconds * 1e3:.1f} ms, p99 {speed.p99_seconds * 1e3:.1f} ms"
    if added.p50_seconds == added.p50_seconds:
        p50, p99 = added.p50_seconds * 1e3, added.p99_seconds * 1e3
        text += f"; monitoring adds {p50:.2f} ms, p99 {p99:.2f} ms"
    return text + (f"; {speed.failures} failed" if speed.failures else "")


def table(features: Sequence[FeatureDrift], most: int) -> Table:
    """Return a table of the `most` most drifted features of each model."""
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("feature", no_wrap=True, max_width=14)
    grid.add_column("score", no_wrap=True)
    for name in ("now", "threshold", "rows"):
        grid.add_column(name, justify="right", no_wrap=True)
    for name in ("reference", "window"):
        grid.add_column(name, no_wrap=True, min_width=BARS)
    grid.add_column("", no_wrap=True, min_width=7)
    for model in dict.fromkeys(sorted(feature.model for feature in features)):
        ours = [feature for feature in features if feature.model == model]
        drifted = sum(feature.is_drifted for feature in ours)
        grid.add_row()
        grid.add_row(Text(model, style="bold"), *[""] * 6, Text(f"{drifted} of {len(ours)}"))
        for feature in ours[:most]:
            grid.add_row(*_cells(feature))
    return grid


def _cells(feature: FeatureDrift) -> tuple[Text | str, ...]:
    style = "bold red" if feature.is_drifted else ""
    is_scored = feature.value == feature.value
    top = max((*feature.reference, *feature.current), default=0.0)
    return (
        Text(feature.feature, style=style),
        feature.score.removesuffix("_statistic").removesuffix("_ratio") if is_scored else "",
        Text(f"{feature.value:.3f}" if is_scored else "-", style=style),
        f"{feature.threshold:.3f}" if is_scored else "-",
        str(feature.rows),
        Text(bars(feature.reference, top), style="dim"),
        Text(bars(feature.current, top), style=style),
        Text("drifted" if feature.is_drifted else "", style=style),
    )


def quality_table(quality: Sequence[Measure], parity: Sequence[Parity]) -> Table:
    """Return a table of qualities, their values in the reference, and parities."""
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("quality", no_wrap=True)
    for name in ("now", "reference", "threshold", "rows"):
        grid.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    grid.add_column("", no_wrap=True)
    for measure in sorted(quality, key=lambda measure: measure.model):
        grid.add_row(*_quality_cells(measure))
    for each in parity:
        selected = ", ".join(f"{name} {share:.0%}" for name, share in each.selected.items())
        title = f"{each.model}: parity by {each.feature}"
        grid.add_row(title, _number(each.ratio), "", "", "", selected)
    return grid


def _quality_cells(measure: Measure) -> tuple[Text | str, ...]:
    style = "bold red" if measure.is_worse else ""
    return (
        Text(f"{measure.model}: {TITLES[measure.name]}", style=style),
        Text(_number(measure.value), style=style),
        _number(measure.reference),
        _number(measure.threshold),
        str(measure.rows),
        Text("worse" if measure.is_worse else "", style=style),
    )


def _number(value: float) -> str:
    """Return a number with three digits or so; a dash for NaN."""
    return "-" if value != value else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def bars(shares: Sequence[float], top: float) -> str:
    """Return shares as bars, the highest for `top`; any share above 0 is visible."""
    if top <= 0:
        return ""
    heights = (0 if share <= 0 else max(1, round(8 * share / top)) for share in shares)
    return "".join(_BLOCKS[min(8, height)] for height in heights)


def line(scene: Scene) -> str:
    """Return the scene in one line, for output without a terminal."""
    models = dict.fromkeys(sorted(feature.model for feature in scene.features))
    counts = []
    for model in models:
        ours = [feature for feature in scene.features if feature.model == model]
        names = [feature.feature for feature in ours if feature.is_drifted]
        which = f" ({', '.join(names)})" if names else ""
        worse = [TITLES[m.name] for m in scene.quality if m.model == model and m.is_worse]
        also = f", {' and '.join(worse)} worse" if worse else ""
        counts.append(f"{model}: {len(names)} of {len(ours)} drifted{which}{also}")
    return f"{scene.elapsed:4.0f} s  {scene.season}  {'; '.join(counts)}"


def print_summary(console: Console, scene: Scene) -> None:
    """Print the scene at the end."""
    console.print(table(scene.features, 5))
    console.print()
    if scene.quality:
        console.print(quality_table(scene.quality, scene.parity))
        console.print()
    text = f"{scene.elapsed:.0f} s of traffic, {speed_text(scene.speed, scene.added)}."
    console.print(Text(text), soft_wrap=True)
