from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter.assets.rules.rule_files import Group, Rule, Yaml, rule_file, yaml_text

from .conftest import Promtool
from .fleet_traffic import label_text


def test_a_rule_file() -> None:
    rules = [
        Rule("a:b:sum", "sum by (job) (b)", "All of b."),
        Rule("a:c:sum", "a\n+\nb", "Two lines,\nof which this is one."),
    ]
    assert (
        rule_file([Group("one", "1m", rules)], "What it is.\n\nAnd more.")
        == """\
# What it is.
#
# And more.
groups:
  - name: one
    interval: 1m
    rules:
      # All of b.
      - record: a:b:sum
        expr: sum by (job) (b)
      # Two lines,
      # of which this is one.
      - record: a:c:sum
        expr: |-
          a
          +
          b
"""
    )


NESTED = """\
a:
  b:
    - 1
    - - x
      - v: z
        s: t
"""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": {}, "b": [], "c": ""}, "a: {}\nb: []\nc: ''\n"),
        ({"a": {"b": [1, ["x", {"v": "z", "s": "t"}]]}}, NESTED),
        ({"a": "5m", "b": "5", "c": "yes", "d": "a: b"}, "a: 5m\nb: '5'\nc: 'yes'\nd: 'a: b'\n"),
        ({"a": "x\n y\n\nz"}, "a: |-\n  x\n   y\n\n  z\n"),
    ],
)
def test_values_as_yaml(value: dict[str, Yaml], text: str) -> None:
    assert yaml_text(value) == text


ODD = [
    *["", " ", "null", "~", "true", "No", "on", "y", "1", "1.5", ".5", "1e3", "0x1F", "12:30"],
    *["-", "- a", "-a", "?", ":", "a:", "a: b", "a:b", "a #b", "#a", "a, b", "[a]", "{a: b}", "*a"],
    *["&a", "!a", "|", ">", "%a", "@a", "`a`", "'a'", '"a"', "'", '"', "\\", "\\n", "a\\", "<<"],
    *["a\nb", "a\n", "\na", "a\n\nb", " a\nb", "a \nb", "a\tb", "\ta", "a\r\nb", "a\n b", "a\n#b"],
    *[
        "ü",
        "ü\nü",
        "日本",
        "😀",
        "\x7f",
        "\x85",
        "\xa0",
        "\u2028",
        "\ufeff",
        "---",
        "...",
        "=",
        "../a",
    ],
]


def test_prometheus_reads_what_was_written(promtool: Promtool, tmp_path: Path) -> None:
    # In the rules each text stands by itself; in the test it is quoted in PromQL.
    labels = {f"odd_{number:02d}": text for number, text in enumerate(ODD)}
    shown = {name: text for name, text in labels.items() if text}  # an empty label is none
    rule: Yaml = {"record": "odd", "expr": "vector(\n  1\n)", "labels": labels}
    check: Yaml = {
        "expr": "odd",
        "eval_time": "1m",
        "exp_samples": [{"labels": "odd" + label_text(shown), "value": 1}],
    }
    rules = yaml_text({"groups": [{"name": "a: b", "interval": "1m", "rules": [rule]}]}, "Odd: #")
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "test.yml").write_text(
        yaml_text({"rule_files": ["rules.yml"], "tests": [{"promql_expr_test": [check]}]})
    )
    assert promtool("check", "rules", tmp_path / "rules.yml") == ""
    assert promtool("test", "rules", tmp_path / "test.yml") == ""
