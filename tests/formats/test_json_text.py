"""Facts about JSON as model servers send it."""

from __future__ import annotations

import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats import FormatError
from mlmon_exporter.formats.json_text import MAX_DEPTH, loads

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def test_bare_constants_are_read() -> None:
    nan, infinite, negative = loads(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(nan)
    assert (infinite, negative) == (math.inf, -math.inf)


@pytest.mark.parametrize("digits", [20, 400, 5000, 1_000_000])
def test_an_integer_too_long_for_64_bits_is_a_float(digits: int) -> None:
    (value,) = loads(b"[%s]" % (b"9" * digits))
    assert value == (1e20 if digits == 20 else math.inf)
    (value, _) = loads(b"[-%s, NaN]" % (b"9" * digits))
    assert value == (-1e20 if digits == 20 else -math.inf)


def test_integers_of_64_bits_stay_integers() -> None:
    assert loads(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert loads(b"[1234567890123456789, NaN]")[0] == 1234567890123456789


@pytest.mark.parametrize(
    "text", [rb'"\ud800"', rb'"\uDFFF"', rb'["a\ud83d"]', rb'{"\udc00": {"b": ["\uD800x"]}}']
)
def test_no_lone_surrogate_comes_through(text: bytes) -> None:
    json.dumps(loads(text), ensure_ascii=False).encode()
    assert "�" in json.dumps(loads(text), ensure_ascii=False)


def test_surrogates_that_are_a_pair_are_one_character() -> None:
    assert loads(rb'["\ud83d\ude00", NaN]')[0] == "\N{GRINNING FACE}"


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf[1]", b"\xef\xbb\xbf[1, NaN]"])
def test_a_byte_order_mark_is_left_out(text: bytes) -> None:
    assert loads(text)[0] == 1


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"[NaN, " + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"]",
    ],
)
def test_deep_nesting_is_too_deep(text: bytes) -> None:
    assert _reason(text) == "too_deep"


def test_the_depth_that_is_allowed_is_read() -> None:
    value = loads(b"[" * MAX_DEPTH + b"NaN" + b"]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH):
        (value,) = value
    assert math.isnan(value)


def test_nesting_is_refused_long_before_the_recursion_limit() -> None:
    assert sys.getrecursionlimit() > 3 * MAX_DEPTH


@pytest.mark.parametrize("text", [b"", b"  \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \t"])
def test_nothing_is_an_empty_body(text: bytes) -> None:
    assert _reason(text) == "empty_body"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_json_in_another_utf_is_read_as_python_reads_it(encoding: str) -> None:
    assert loads('{"größe": [1, NaN]}'.encode(encoding)).keys() == {"größe"}
    assert loads('["😀"]'.encode(encoding)) == ["😀"]


@pytest.mark.parametrize("text", [b'"\xff"', '["ä"]'.encode("latin-1"), b"\xff\xfe[\x00\x00"])
def test_what_is_no_utf_is_a_bad_encoding(text: bytes) -> None:
    assert _reason(text) == "bad_encoding"


@pytest.mark.parametrize(
    "text", [b"{", b"[1,]", b"{'a': 1}", b"a=1", b"[1] [2]", b'"open', b'"\\', b"nan", b"01", b"\0"]
)
def test_what_is_not_json_is_not_json(text: bytes) -> None:
    assert _reason(text) == "not_json"


def test_brackets_within_strings_do_not_nest() -> None:
    text = json.dumps(["[{" * 1000, '\\"[' * 1000, math.nan]).encode()
    assert loads(text)[0] == "[{" * 1000


@pytest.mark.parametrize("unit", [b'\\"', b'"', b"\\", b'",["', b"[{", b'{"a":['])
@pytest.mark.timeout(120)  # quadratic time would be hours
def test_a_megabyte_of_anything_is_done_in_linear_time(unit: bytes) -> None:
    for start in (b"", b"[NaN,", b'["', b'{"a'):
        with pytest.raises(FormatError):
            loads(start + unit * (1_000_000 // len(unit)))


@given(VALUES)
def test_what_python_writes_is_read_as_it_was(value: object) -> None:
    text = json.dumps([value, math.nan]).encode()
    assert _rounded(loads(text)[0]) == _rounded(json.loads(json.dumps(value)))


def _rounded(value: object) -> object:
    """The value with integers beyond 64 bits as the floats that they become, text as it encodes."""
    if type(value) is int:
        return float(value) if len(str(value)) > 19 else value
    if type(value) is list:
        return [_rounded(item) for item in value]
    if type(value) is dict:
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _reason(text: bytes) -> str:
    with pytest.raises(FormatError) as raised:
        loads(text)
    return raised.value.reason
