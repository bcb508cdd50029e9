"""Facts about configured paths into bodies."""

from __future__ import annotations

import pytest

from mlmon_exporter.formats import BodyMap, FormatError, parse

from .bodies import exchange


def test_a_missing_path_raises_its_reason() -> None:
    with pytest.raises(
        FormatError, match=r"payload\.rows: expected a value at 'rows', got none"
    ) as e:
        parse(exchange(b'{"payload": []}'), BodyMap(features="payload.rows"))
    assert e.value.reason == "path_missing"
