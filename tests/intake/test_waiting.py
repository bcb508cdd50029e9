"""Facts about exchanges that wait."""

from __future__ import annotations

from tests.formats.bodies import exchange
from tests.intake.waiting import waiting


def test_an_exchange_that_has_waited_is_the_same() -> None:
    sent = [
        exchange([b'{"a": ', b"1}"], b"[2]", path="/one")._replace(prediction_id="x"),
        exchange(b"", path="/two", status=500, response_headers={"age": "7"}),
    ]
    group = waiting(sent)
    assert group.sizes == (11, 0)
    for i, one in enumerate(sent):
        asked, told = (tuple(chunks) for chunks in (one.request_chunks, one.response_chunks))
        assert group.exchange(i) == one._replace(request_chunks=asked, response_chunks=told)
