"""Parts of every page: head, header, choice of window, legend, tables' heads, tiles."""

from __future__ import annotations

from collections.abc import Sequence

from . import formatting
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
        is_file: The page is a file, and carries the policy that a server would send.
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
    """Return the line at the top: breadcrumbs, the time, whether the page refreshes.

    Args:
        path: Address and name of each breadcrumb after the first; the last is this page.
    """
    steps = [
        element("li", element("a", name_of(name), href=link) if link else name_of(name))
        for link, name in [(links.overview(), "mlmon-exporter"), *path]
    ]
    here = element("nav", element("ol", steps), class_="path", aria_label="You are here")
    host = (element("b", view.host), " · ") if view.host else None
    time = text(host, element("time", formatting.moment(view.now)))
    switch = links.same(paused=not is_paused)
    if not switch:
        return element("header", here, element("span", time))
    state = "paused · " if is_paused else f"refreshes every {REFRESH_SECONDS} s · "
    action = element("a", "refresh" if is_paused else "pause", href=switch)
    return element("header", here, element("span", time, " · ", state, action, class_="live"))


def window_choice(windows: Sequence[str], chosen: str, addresses: Sequence[str]) -> Html | None:
    """Return links to the same context in another window; None where all lead to one context."""
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
    """Return text of users: its own direction, and its whole in the title if it is long."""
    return element("bdi", text_, title=text_ if len(text_) > 40 else None)


def cut_name(text_: str, href: str | None = None) -> Html:
    """Return text of users on one line, cut where room ends; a link if an address is given."""
    title = text_ if len(text_) > 12 else None
    name = element("bdi", text_)
    return element("a" if href else "span", name, class_="cut", href=href or None, title=title)


def legend() -> Html:
    """Return the legend of colours and shapes."""
    wide = element("rect", class_="reference", width=11, height=11)
    narrow = element("rect", class_="now", x=3, width=5, height=11)
    dashes = element("path", class_="limit", d="M0 6h14")
    dot = element("path", class_="over dot", d="M6 6h0")
    entries = [(wide, "reference"), (narrow, "now"), (dashes, "threshold"), (dot, "over it")]
    drawn = [
        element(
            "span",
            element("svg", shape, class_="key", width=14, height=11, aria_hidden="true"),
            meaning,
        )
        for shape, meaning in entries
    ]
    return element("div", drawn, class_="legend")


def tiles(entries: Sequence[tuple[str, Child]]) -> Html:
    """Return a few numbers, each under its title."""
    pairs = [element("div", element("dt", term), element("dd", value)) for term, value in entries]
    return element("dl", pairs, class_="tiles")


def warning_mark(is_wrong: bool | None, meaning: str = "drifted") -> Html | None:
    """Return the warning sign, or None if nothing is wrong."""
    if not is_wrong:
        return None
    return text(element("span", "▲", class_="mark", role="img", aria_label=meaning), " ")


def table_head(*titles: str) -> Html:
    """Return a table's head.

    A prefix of a title is the class of its column: `n:` for numbers, `wide:` for columns that small
    screens leave out, `wide n:` for both.
    """
    cells = []
    for title in titles:
        kind, _, name = title.rpartition(":")
        cells.append(element("th", name, scope="col", class_=kind or None))
    return element("thead", element("tr", cells))
