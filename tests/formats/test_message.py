"""Facts about one request and its response, as formats see them."""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, FormatError, parse

from .bodies import Body, canonical_text, exchange, read_all


@pytest.mark.parametrize("body", read_all(), ids=lambda body: body.name)
def test_how_bytes_were_cut_into_chunks_does_not_matter(body: Body) -> None:
    whole = body.exchange
    cut = whole._replace(
        request_chunks=[whole.request_chunks[0][:7], b"", whole.request_chunks[0][7:]],
        response_chunks=[whole.response_chunks[0][i : i + 1] for i in range(len(_answer(whole)))],
    )
    assert canonical_text(parse(cut, body.body_map)) == canonical_text(parse(whole, body.body_map))


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (b"{", b"{"),
        (b"[]", b"1"),
        (b'{"a": 1}', b"{"),
        (b'{"a": 1}', b'{"label": [], "score": []}'),
    ],
)
@pytest.mark.slow
def test_an_unreadable_body_is_let_go_at_once(request_: bytes, response: bytes) -> None:
    # A reference cycle through the error would keep each body until the collector comes by. What
    # earlier tests leave may take several rounds, and what is loaded on first use has cycles.
    with suppress(FormatError):
        parse(exchange(request_, response), BodyMap())
    while gc.collect():
        pass
    gc.disable()
    try:
        with suppress(FormatError):
            parse(exchange(request_, response), BodyMap())
        assert gc.collect() == 0
    finally:
        gc.enable()


def _answer(whole: Exchange) -> bytes:
    return whole.response_chunks[0]
