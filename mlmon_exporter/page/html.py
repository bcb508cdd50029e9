"""HTML elements: text is escaped unless its type is `Html`."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

# A template engine would be one more package in the model server's process, and mypy cannot check
# templates.


class Html(str):
    """Markup; only this module makes it from text."""

    __slots__ = ()


Child = str | int | Iterable["Child"] | None
"""Text, escaped; `Html`, as it is; None, left out; or an iterable of these."""

VOID = frozenset(("col", "meta"))


def element(tag: str, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Return an element.

    Args:
        tag: Its name.
        children: Its content.
        attributes: `class_` is class, `aria_label` is aria-label. False and None leave an
            attribute out, True gives it no value.
    """
    opening = "".join([tag, *(_attribute(*item) for item in attributes.items())])
    if tag in VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{text(*children)}</{tag}>")


def text(*children: Child) -> Html:
    """Return the children joined, text escaped."""
    return Html("".join(map(_markup, children)))


def _markup(child: Child) -> str:
    if isinstance(child, Html):
        return child
    if child is None:
        return ""
    if isinstance(child, str | int):
        return escape(str(child))
    return "".join(map(_markup, child))


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    shown = f"{value:.4g}" if isinstance(value, float) else escape(str(value))
    return f' {name}="{shown}"'
