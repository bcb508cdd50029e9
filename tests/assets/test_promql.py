"""Facts about the names in expressions; the oracle is Prometheus's own parser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from mlmon_exporter.assets.bundle import assets_root
from mlmon_exporter.assets.promql import metric_names
from tests.e2e.servers import prometheus
from tests.newest_prometheus import newest_binary

EXPRESSIONS = [
    "up",
    "sum(a)",
    "sum by (job, b) (a)",
    "SUM without (a) (b)",
    "sum(rate(a_total[5m])) by (job) / sum (b_total offset 1w) by (job) or c",
    'a{b="c{d}", e=~"f|[(]g", h!="\\"i"} > 0',
    "a{b='c'} unless on (d) e{f=`g\"`}",
    "a * on (job, b) group_left (c, d) e",
    "a / ignoring (b) group_right () c",
    "a and on () b",
    "a > bool b",
    "a == Bool -b",
    "-a ^ 2 + 0x1F - 1e-3 * Inf / NaN % .5",
    "max_over_time(level:a:rate5m[1h30m:1m] offset -5m) atan2 b",
    "a @ start() + b @ 1609746000",
    '{__name__="a", b="c"}',
    '{b="c", __name__="a",}',
    '{__name__=~"a|b"}',
    '{__name__!="a", b="c"}',
    '{"a.b", c="d"}',
    '{c="d", "a\\"b"}',
    '{b="c"}',
    '{"b"="c", "a.d"}',
    'label_replace(a, "b", "$1", "c", "(.*)d")',
    'count_values("a", b)',
    'absent(a{job="b"})',
    "topk(3, a)",
    "vector(1)",
    "a # b\n+ # c (\nd",
    "histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m])))",
    "sum_over_time((a > b)[5m:])",
    "a\n  or\n0 * b",
    "time() - a > 5",
    "Sum + b",
]


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(newest_binary("prometheus"), folder, "") as server:
        yield lambda expression: selected(server.url, expression)


def selected(url: str, expression: str) -> set[str]:
    """The names in Prometheus's own syntax tree."""
    body = httpx.post(f"{url}/api/v1/parse_query", data={"query": expression}, timeout=60).json()
    assert body["status"] == "success", body
    return set(names(body["data"]))


def names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from names(item)
    elif isinstance(node, dict):
        for matcher in node.get("matchers") or ():
            if matcher["name"] == "__name__" and matcher["type"] == "=":
                yield matcher["value"]
        for value in node.values():
            yield from names(value)


def rules() -> Iterator[str]:
    for path in sorted((assets_root() / "alerts").glob("*/*.yml")):
        for group in yaml.safe_load(path.read_text()).get("groups", ()):
            yield from (rule["expr"] for rule in group["rules"])


def test_names_are_those_that_prometheus_selects(parsed: Any) -> None:
    for expression in [*EXPRESSIONS, *rules()]:
        assert set(metric_names(expression)) == parsed(expression), expression


def test_names_are_in_order_and_once() -> None:
    assert metric_names("b + a + b") == ["b", "a"]


def test_words_of_a_newer_prometheus_are_no_names() -> None:
    assert metric_names("rate(a[5m] smoothed) + fill(0) b") == ["a", "b"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [("sum(a{b='c')", "expected '}' for '{'"), ('a{b="c}', 'expected a closing "')],
)
def test_what_is_not_closed_is_an_error(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric_names(expression)
