"""Rules as the YAML that Prometheus reads, the same bytes every time.

Only what rule files hold can be written: maps, lists, text, whole numbers. That takes a page, and
a YAML library would be one more dependency, whose releases decide how our files look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

Yaml: TypeAlias = "str | int | Sequence[Yaml] | Mapping[str, Yaml]"

_PLAIN = re.compile(
    r"(\.\./)*[A-Za-z_/]([\w ./:(){}\[\]=~\"'+*<>^,|-]*[\w./(){}\[\]\"'+*])?", re.ASCII
)
_DURATION = re.compile(r"[0-9]+(ms|[smhdwy])")
_OTHER_THAN_TEXT = re.compile(r"true|false|null|yes|no|on|off|y|n", re.IGNORECASE)
_BLOCK = re.compile(r"[!-~][\n -~]*[!-~]")


class Rule(NamedTuple):
    """A recording rule."""

    record: str
    expr: str
    about: str
    """What the recorded series is: a comment in the file."""

    def item(self) -> Mapping[str, Yaml]:
        """Return the rule as Prometheus reads it."""
        return {"record": self.record, "expr": self.expr}


class AnyRule(Protocol):
    """A rule of either kind."""

    @property
    def about(self) -> str:
        """A comment in the file, or nothing."""

    def item(self) -> Mapping[str, Yaml]:
        """Return the rule as Prometheus reads it."""


R_co = TypeVar("R_co", bound=AnyRule, covariant=True)


class Group(NamedTuple, Generic[R_co]):
    """Rules that are evaluated one after another, so that a later one may use an earlier one."""

    name: str
    interval: str
    """A Prometheus duration, such as `1m`."""
    rules: Sequence[R_co]


def rule_file(groups: Sequence[Group[AnyRule]], about: str) -> str:
    """Return a rule file, `about` its first comment."""
    lines = [*_comment(about), "groups:"]
    for group in groups:
        lines += [f"  - name: {_scalar(group.name)}", f"    interval: {group.interval}"]
        lines.append("    rules:")
        for rule in group.rules:
            lines += _indented([*_comment(rule.about), *_lines([rule.item()])], 6)
    return "\n".join(lines) + "\n"


def yaml_text(value: Mapping[str, Yaml], about: str = "") -> str:
    """Return any map as a YAML file, `about` its first comment."""
    return "\n".join([*_comment(about), *_lines(value)]) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()]


def _indented(lines: Sequence[str], by: int) -> list[str]:
    return [" " * by + line if line else line for line in lines]


def _lines(value: Yaml) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [line for key, item in value.items() for line in _entry(key, item)]
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return [line for item in value for line in _item(_lines(item))]
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        return ["{}" if isinstance(value, Mapping) else "[]"]
    return _text(value) if isinstance(value, str) else [str(value)]


def _entry(key: str, value: Yaml) -> list[str]:
    first, *rest = _lines(value)
    is_nested = bool(value) and not isinstance(value, str | int)
    if is_nested:
        return [f"{_scalar(key)}:", *_indented([first, *rest], 2)]
    return [f"{_scalar(key)}: {first}", *rest]


def _item(lines: Sequence[str]) -> list[str]:
    return [f"- {lines[0]}", *_indented(lines[1:], 2)]


def _text(text: str) -> list[str]:
    lines = text.split("\n")
    # A block shows the text as it is; what a block cannot hold is quoted.
    if len(lines) > 1 and _BLOCK.fullmatch(text) and all(line == line.rstrip() for line in lines):
        return ["|-", *_indented(lines, 2)]
    return [_scalar(text)]


def _scalar(text: str) -> str:
    is_text = _PLAIN.fullmatch(text) and not _OTHER_THAN_TEXT.fullmatch(text)
    if _DURATION.fullmatch(text) or (is_text and ": " not in text):
        return text
    return '"' + "".join(_quoted(character) for character in text) + '"'


def _quoted(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return r"\n"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
