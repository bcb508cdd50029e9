"""The demo from start to end: train, serve, replay, show, stop."""

from __future__ import annotations

import secrets
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.live import Live

from .display import delivery_text, line, links_text, page, print_page, print_summary, ways_text
from .inbox import Inbox, inbox_app
from .paging import NAMES, Links, Paging, find_programs, paging
from .preparation import prepare, step
from .server import DemoError, Server, listen
from .stage import Stage
from .traffic import Latencies
from .verdict import Verdict

__all__ = ["DemoError", "run"]

LOOK_SECONDS = 0.5
WITHOUT_PROGRAMS = (
    "No {absent} on the PATH: with both Prometheus and Alertmanager (Debian: prometheus, "
    "prometheus-alertmanager), the demo also shows the page for this drift."
)
NO_PAGE = "No page will be shown: {error}"


def run(*, seconds: float | None, port: int, once: bool) -> int:
    """Run the demo; return its exit code.

    Args:
        seconds: Duration of the traffic; None until interrupted.
        port: Port on this machine; 0 picks a free one.
        once: Print lines instead of a live table; the exit code is 1 unless exactly the expected
            drift was detected.

    Raises:
        DemoError: The port is taken.
    """
    console = Console()
    verdict, added, inbox, token = Verdict(), Latencies(), Inbox(), secrets.token_urlsafe()
    with _interrupted(console), ExitStack() as stack:
        listener = stack.enter_context(listen(port))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlmon-demo-")))
        # It takes seconds to find the server; training meanwhile costs no time.
        pager = _start_paging(console, stack, folder, url, inbox)
        bike, income, app, monitor = prepare(console, folder, added, token)
        stack.enter_context(Server(app, listener))
        links = _load_rules(console, pager) if pager is not None else None
        stage = Stage(url, token, monitor, seconds, added, inbox, links)
        stack.callback(stage.stop)
        stage.start([(("/bike/predict", "/bike/stream"), bike), (("/income/predict",), income)])
        console.print(f"Serving on {url}: open ", ways_text(url), sep="", soft_wrap=True)
        if links is not None:
            console.print(links_text(links), soft_wrap=True)
        show = _show_live if console.is_terminal and not once else _show_lines
        try:
            show(console, stage, verdict)
        finally:
            last = stage.scene()
            print_summary(console, last)
            console.print(verdict.text(), soft_wrap=True)
            if links is not None:
                print_page(console, last.deliveries)
    return int(once and not verdict.is_good)


def _start_paging(
    console: Console, stack: ExitStack, folder: Path, url: str, inbox: Inbox
) -> Paging | None:
    """Start Prometheus, Alertmanager and its webhook, if both are installed."""
    programs = find_programs()
    if absent := NAMES.keys() - programs:
        text = WITHOUT_PROGRAMS.format(absent=" and no ".join(sorted(absent)))
        console.print(text, soft_wrap=True)
        return None
    try:
        with step(console, "Starting Prometheus and Alertmanager"):
            listener = stack.enter_context(listen(0))
            stack.enter_context(Server(inbox_app(inbox), listener))
            webhook = f"http://127.0.0.1:{listener.getsockname()[1]}"
            target = url.removeprefix("http://")
            return stack.enter_context(paging(programs, folder, target, webhook))
    except DemoError as error:
        console.print(NO_PAGE.format(error=error), soft_wrap=True)
        return None


def _load_rules(console: Console, pager: Paging) -> Links | None:
    try:
        with step(console, "Loading the rules, sped up to an hour in half a minute"):
            pager.load_rules()
    except DemoError as error:
        console.print(NO_PAGE.format(error=error), soft_wrap=True)
        return None
    return pager.links


@contextmanager
def _interrupted(console: Console) -> Iterator[None]:
    """Stop cleanly on the first ctrl-c, SIGTERM or SIGHUP; ignore further ones."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        console.print("Stopped.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show_live(console: Console, stage: Stage, verdict: Verdict) -> None:
    # Drawing in a thread would hold up an interrupt.
    with Live(console=console, auto_refresh=False, screen=False, transient=True) as live:
        while not stage.is_over:
            scene = stage.scene()
            verdict.note(scene.features, scene.elapsed)
            verdict.note_quality(scene.quality, scene.elapsed)
            live.update(page(scene, console.height), refresh=True)
            time.sleep(LOOK_SECONDS)


def _show_lines(console: Console, stage: Stage, verdict: Verdict) -> None:
    """Print a line when the season, what drifted or what is worse changes, or a page arrives."""
    shown: object = None
    arrived = 0
    is_over = False
    while not is_over:
        is_over = stage.is_over  # and a last look, at the page that ends it
        scene = stage.scene()
        for delivery in scene.deliveries[arrived:]:
            console.print(delivery_text(delivery), soft_wrap=True)
        arrived = len(scene.deliveries)
        verdict.note(scene.features, scene.elapsed)
        verdict.note_quality(scene.quality, scene.elapsed)
        drifted = {f[:2] for f in scene.features if f.is_drifted}
        state = (scene.season, drifted, {m[:2] for m in scene.quality if m.is_worse})
        if state != shown:
            console.print(line(scene), highlight=False, soft_wrap=True)
            shown = state
        time.sleep(LOOK_SECONDS)
