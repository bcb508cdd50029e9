"""Facts about bodies of one JSON text a line."""

from __future__ import annotations

import pytest

from mlmon_exporter.formats import BodyMap, parse

from .bodies import exchange


@pytest.mark.parametrize("media", [{}, {"content-type": "application/json"}])
def test_lines_under_the_media_type_of_one_value_are_parts(media: dict[str, str]) -> None:
    answer = exchange(b'{"a": [1, 2]}', b'{"output": 1}\n{"output": 2}\n', response_headers=media)
    assert parse(answer, BodyMap()).batch.predictions == {"prediction": [1, 2]}
    broken = exchange(b'{"a": [1, 2]}', b'{"output": 1}\n{"out', response_headers=media)
    assert parse(broken, BodyMap()).problems == ("not_json",)
