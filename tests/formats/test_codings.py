"""Facts about content codings."""

from __future__ import annotations

import gzip
import sys
import time
import zlib
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, FormatError, parse
from mlmon_exporter.formats.codings import decode

from .bodies import Body, exchange, read_all
from .memory import at_most_traced

TEXT = b'{"a": 1, "b": [2, 3]}' * 50
RAW = zlib.compressobj(wbits=-15)
DEFLATED = RAW.compress(TEXT) + RAW.flush()
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def brotli() -> Any:
    module: ModuleType = pytest.importorskip("brotli", minversion="1.2")
    return module


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        (" GZip ", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", DEFLATED),
    ],
)
def test_a_known_coding_is_undone(coding: str, content: bytes) -> None:
    assert decode(content, coding, 10_000) == TEXT


@pytest.mark.parametrize("coding", ["zstd", "compress", "gzip, gzip", "*", "gzip;q=1"])
def test_an_unknown_or_stacked_coding_is_unsupported(coding: str) -> None:
    assert _reason(b"", coding) == "unsupported_encoding"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"{}", b"\x00" * 40])
def test_what_is_not_compressed_is_a_bad_encoding(coding: str, content: bytes) -> None:
    assert _reason(content, coding) == "bad_encoding"


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", DEFLATED),
    ],
)
def test_a_body_cut_short_is_a_bad_encoding(coding: str, content: bytes) -> None:
    assert _reason(content[:-9], coding) == "bad_encoding"


def test_the_limit_itself_is_not_too_large() -> None:
    compressed = gzip.compress(TEXT, mtime=0)
    assert decode(compressed, "gzip", len(TEXT)) == TEXT
    assert _reason(compressed, "gzip", len(TEXT) - 1) == "compressed_too_large"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.slow
def test_a_bomb_takes_no_more_memory_than_the_limit(coding: str) -> None:
    compress = gzip.compress if coding == "gzip" else zlib.compress
    bomb = compress(b"[" * (200 * MEGABYTE))
    # zlib's output in blocks, the same in one piece, and what it has not read of the input.
    with at_most_traced(int(2.5 * MEGABYTE) + len(bomb)):
        assert _reason(bomb, coding, MEGABYTE) == "compressed_too_large"


@pytest.mark.parametrize("cuts", [(7,), (1, 2, 3), (0,), (500, 500)])
def test_all_members_of_a_gzip_file_are_undone(cuts: tuple[int, ...]) -> None:
    starts = (0, *cuts, len(TEXT))
    parts = [TEXT[a:b] for a, b in pairwise(starts)]
    content = b"".join(gzip.compress(part, mtime=0) for part in parts)
    assert decode(content, "gzip", 10_000) == TEXT
    assert _reason(content, "gzip", len(TEXT) - 1) == "compressed_too_large"


def test_a_later_member_that_is_large_or_cut_short_says_so() -> None:
    first, second = gzip.compress(b"[", mtime=0), gzip.compress(bytes(range(256)) * 400, mtime=0)
    assert len(decode(first + second, "gzip", 200_000)) == 1 + 256 * 400
    assert _reason(first + second, "gzip", 50_000) == "compressed_too_large"
    assert _reason(first + second[:-9], "gzip", 200_000) == "bad_encoding"


def test_what_follows_the_last_member_is_passed_over() -> None:
    assert decode(gzip.compress(b"{}", mtime=0) + b"\0\0junk", "gzip", 10_000) == b"{}"


def test_many_members_take_time_by_their_number() -> None:
    member = gzip.compress(b"", mtime=0)
    started = time.process_time()
    assert decode(member * 50_000, "gzip", MEGABYTE) == b""
    assert time.process_time() - started < 20e-6 * 50_000 * len(member)


def test_compressed_bodies_of_both_directions_are_read() -> None:
    coded = {"Content-Encoding": "gzip", "content-type": "application/json"}
    compressed = exchange(
        gzip.compress(b'{"a": 1}'),
        gzip.compress(b'{"prediction": 2}'),
        request_headers=coded,
        response_headers=coded,
    )
    batch = parse(compressed, BodyMap()).batch
    assert (batch.features, batch.predictions) == ({"a": 1}, {"prediction": 2})


@pytest.mark.parametrize(
    "body",
    [body for body in read_all() if body.format in ("oip_v2", "mlflow", "sagemaker", "seldon")],
    ids=lambda body: body.name,
)
def test_real_bodies_that_are_compressed_hold_the_same(body: Body) -> None:
    whole, coding = body.exchange, {b"content-encoding": b"gzip"}
    zipped = whole._replace(
        request_headers={**whole.request_headers, **coding},
        request_chunks=[gzip.compress(whole.request_chunks[0])],
        response_headers={**whole.response_headers, **coding},
        response_chunks=[gzip.compress(whole.response_chunks[0])],
    )
    assert repr(parse(zipped, body.body_map)) == repr(parse(whole, body.body_map))


def test_a_body_that_something_else_inflated_already_is_read() -> None:
    inflated = exchange(b'{"a": 1}', b"2", request_headers={"content-encoding": "gzip"})
    assert parse(inflated, BodyMap()).problems == ()


def test_brotli_is_undone_where_it_is_installed(brotli: Any) -> None:
    assert decode(brotli.compress(TEXT), "br", 10_000) == TEXT


def test_a_brotli_bomb_is_too_large(brotli: Any) -> None:
    bomb = brotli.compress(b"[" * (50 * MEGABYTE), quality=5)
    assert _reason(bomb, "br", MEGABYTE) == "compressed_too_large"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 9])
def test_what_is_not_brotli_is_a_bad_encoding(brotli: Any, content: bytes) -> None:
    assert _reason(content, "br") == "bad_encoding"


def test_brotli_cut_short_is_a_bad_encoding(brotli: Any) -> None:
    assert _reason(brotli.compress(TEXT)[:-2], "br") == "bad_encoding"


def test_brotli_is_unsupported_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    assert _reason(b"\x00", "br") == "unsupported_encoding"


def _reason(content: bytes, coding: str, limit: int = 10_000) -> str:
    with pytest.raises(FormatError) as raised:
        decode(content, coding, limit)
    return raised.value.reason
