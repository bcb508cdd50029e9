"""Rule files as YAML, with a comment above each recorded series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import yaml
from yaml.nodes import Node
from yaml.representer import BaseRepresenter

Yaml: TypeAlias = "str | int | Sequence[Yaml] | Mapping[str, Yaml]"


class Rule(NamedTuple):
    """A recording rule."""

    record: str
    expr: str
    about: str
    """Meaning of the recorded series: a comment in the file."""
    labels: Mapping[str, str] | None = None
    """Labels that are added to it."""

    def item(self) -> Mapping[str, Yaml]:
        """Return the rule as Prometheus reads it."""
        found: dict[str, Yaml] = {"record": self.record, "expr": self.expr}
        return found | ({"labels": self.labels} if self.labels else {})


class AnyRule(Protocol):
    """A recording or an alerting rule."""

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
    """Return a rule file; `about` is the comment at its top."""
    text = f"{_comment(about)}groups:\n"
    for group in groups:
        head = yaml_text({"name": group.name, "interval": group.interval})
        rules = (f"{_comment(rule.about)}{_dumped([rule.item()])}" for rule in group.rules)
        text += indent(
            f"- {indent(head, '  ')[2:]}  rules:\n{indent(''.join(rules), '    ')}", "  "
        )
    return text


def yaml_text(value: Mapping[str, Yaml], about: str = "") -> str:
    """Return a mapping as a YAML file; `about` is the comment at its top."""
    return _comment(about) + _dumped(value)


def _represent_text(dumper: BaseRepresenter, text: Any) -> Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)


class _Dumper(yaml.SafeDumper):
    """Indents lists, and writes text of several lines as a block."""

    yaml_representers: ClassVar = {**yaml.SafeDumper.yaml_representers, str: _represent_text}

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 PyYAML's signature
        super().increase_indent(flow, indentless=False)


def _dumped(value: Yaml) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=10_000)
    return text


def _comment(text: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())
