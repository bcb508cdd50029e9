"""Which metrics a PromQL expression names.

A reader of tokens, not a parser: what stands around a name tells whether a metric's it is, while a
parser must know the whole grammar, and those for Python refuse what newer versions of Prometheus
take. Whether an expression is valid is for Prometheus and promtool to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*)
    | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
    | (?P<number>(?:[0-9]|\.[0-9])[0-9A-Za-z_.]*)
    | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<sign>=~|!~|!=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_LABEL_LISTS = frozenset("by without on ignoring group_left group_right".split())
_OTHER_WORDS = "and or unless atan2 bool offset inf nan anchored smoothed".split()
_WORDS = _LABEL_LISTS.union(_OTHER_WORDS)
_QUOTES = frozenset("\"'`")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class _Token(NamedTuple):
    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" else ""


def metric_names(expression: str) -> list[str]:
    """Return the metrics that an expression selects by name, each once, in order.

    Selectors without a name, or with a pattern for one, name none.

    Raises:
        ValueError: A bracket or a quoted text is not closed.
    """
    return list(dict.fromkeys(_names(_tokens(expression))))


def _tokens(expression: str) -> list[_Token]:
    tokens = [_Token(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(expression)]
    for token in tokens:
        if token.kind == "sign" and token.text in _QUOTES:
            raise ValueError(f"expression: expected a closing {token.text}, got its end")
    return [token for token in tokens if token.kind != "space"]


def _names(tokens: Sequence[_Token]) -> Iterator[str]:
    at = 0
    while at < len(tokens):
        token, following = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else _Token("", "")
        at += 1
        if token.text in {"{", "["}:
            end = _end(tokens, at - 1)
            if token.text == "{":
                yield from _named_within(tokens[at : end - 1])
            at = end
        elif token.word in _LABEL_LISTS and following.text == "(":
            at = _end(tokens, at)
        elif token.kind == "name" and _is_metric(token, following):
            yield token.text


def _is_metric(token: _Token, following: _Token) -> bool:
    # What is called, or aggregates, is no metric: `sum (x)`, `sum by (job) (x)`.
    is_called = following.text == "(" or following.word in {"by", "without"}
    return not is_called and token.word not in _WORDS


def _end(tokens: Sequence[_Token], start: int) -> int:
    """Return the place after the bracket that closes the one at `start`."""
    opening = tokens[start].text
    depth = 0
    for at in range(start, len(tokens)):
        depth += (tokens[at].text == opening) - (tokens[at].text == _CLOSING[opening])
        if not depth:
            return at + 1
    raise ValueError(f"expression: expected {_CLOSING[opening]!r} for {opening!r}, got its end")


def _named_within(matchers: Sequence[_Token]) -> Iterator[str]:
    """Yield the name that stands in the braces: `__name__="x"`, or `"x"` with no label."""
    before = ","
    for at, token in enumerate(matchers):
        after = matchers[at + 1].text if at + 1 < len(matchers) else ","
        is_matched = before == "=" and at > 1 and matchers[at - 2].text == "__name__"
        if token.kind == "text" and (is_matched or before == after == ","):
            yield _unquoted(token.text)
        before = token.text


def _unquoted(text: str) -> str:
    return text[1:-1] if text[0] == "`" else _ESCAPE.sub(r"\1", text[1:-1])
