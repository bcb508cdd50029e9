"""What all pages have: head, header, the windows to choose from, the key to the drawings."""

from __future__ import annotations

from collections.abc import Sequence

from . import figures
from .html import Child, Html, element, text
from .links import Links
from .style import DOCUMENT_POLICY, STYLE
from .view import View

REFRESH_SECONDS = 15


def document(title: str, *body: Child, is_file: bool = False) -> bytes:
    """Return a whole page.

    Args:
        title: Of the browser's tab.
        body: What is in it.
        is_file: Whether no server says what the page may do, so that it must say it itself.
    """
    policy = element("meta", http_equiv="Content-Security-Policy", content=DOCUMENT_POLICY)
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            policy if is_file else None,
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="robots", content="noindex"),
            element("title", title),
            element("style", Html(STYLE)),
        ),
        element("body", *body, class_="file" if is_file else None),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n".encode("utf-8", "replace")


def header(view: View, links: Links, path: Sequence[tuple[str, str]], is_paused: bool) -> Html:
    """Return the line at the top: where one is, what time it is, whether the page refreshes.

    Args:
        path: Address and name of each place on the way here; the last one is here.
    """
    steps = [
        element("li", element("a", name_of(name), href=link) if link else name_of(name))
        for link, name in [(links.overview(), "mlmon-exporter"), *path]
    ]
    here = element("nav", element("ol", steps), class_="path", aria_label="You are here")
    time = element("time", figures.moment(view.now))
    switch = links.same(paused=not is_paused)
    if not switch:
        return element("header", here, element("span", time))
    says = "stands still · " if is_paused else f"refreshes every {REFRESH_SECONDS} s · "
    does = element("a", "refresh" if is_paused else "pause", href=switch)
    return element("header", here, element("span", time, " · ", says, does, class_="live"))


def window_choice(windows: Sequence[str], chosen: str, addresses: Sequence[str]) -> Html | None:
    """Return links to the same place in another window; None where all lead to one place."""
    if len(set(addresses)) < 2:
        return None
    items = [
        element(
            "li",
            element("b", window, aria_current="true")
            if window == chosen
            else element("a", window, href=address),
        )
        for window, address in zip(windows, addresses, strict=True)
    ]
    return element("nav", element("ul", items), class_="windows", aria_label="Window")


def name_of(text_: str) -> Html:
    """Return text of users: cut where it is long, whole in its title, its direction its own."""
    return element("bdi", text_, title=text_ if len(text_) > 40 else None)


def cut_name(text_: str, href: str | None = None) -> Html:
    """Return the same on one line, as far as there is room, as a link if an address is given."""
    title = text_ if len(text_) > 12 else None
    name = element("bdi", text_)
    return element("a" if href else "span", name, class_="cut", href=href or None, title=title)


def key() -> Html:
    """Return what the colours and shapes of the drawings mean."""
    wide = element("rect", class_="reference", width=11, height=11)
    narrow = element("rect", class_="now", x=3, width=5, height=11)
    dashes = element("path", class_="limit", d="M0 6h14")
    dot = element("path", class_="over dot", d="M6 6h0")
    entries = [(wide, "reference"), (narrow, "now"), (dashes, "threshold"), (dot, "over it")]
    drawn = [
        element(
            "span",
            element("svg", mark, class_="key", width=14, height=11, aria_hidden="true"),
            meaning,
        )
        for mark, meaning in entries
    ]
    return element("div", drawn, class_="legend")


def tiles(entries: Sequence[tuple[str, Child]]) -> Html:
    """Return a few numbers, each under what it is called."""
    pairs = [element("div", element("dt", term), element("dd", value)) for term, value in entries]
    return element("dl", pairs, class_="tiles")


def mark(is_wrong: bool | None, meaning: str = "drifted") -> Html | None:
    """Return the sign of what is wrong, None where nothing is."""
    if not is_wrong:
        return None
    return text(element("span", "▲", class_="mark", role="img", aria_label=meaning), " ")
