"""Facts about free-form JSON."""

from __future__ import annotations

import json

import pytest

from mlmon_exporter.formats import FORMATS, BodyMap, parse

from .bodies import exchange


def test_free_form_json_comes_last_since_it_takes_all() -> None:
    assert FORMATS[-1].name == "json"


def test_one_record_is_not_copied() -> None:
    record = {f"f{i}": i / 7 for i in range(30)}
    batch = parse(exchange(json.dumps({"instances": [record]}).encode()), BodyMap()).batch
    assert batch.features == record
    assert type(batch.features) is dict


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (b'{"prediction": 1, "model_version": "2026-11"}', "2026-11"),
        (b'{"prediction": 1, "model_version": 7}', "7"),
        (b'{"prediction": 1, "model_version": "%s"}' % (b"x" * 100), "x" * 64),
        (b'{"prediction": 1, "model_version": ""}', None),
        (b'{"prediction": 1, "model_version": null}', None),
        (b'{"prediction": 1, "model_version": true}', None),
        (b'{"prediction": 1, "model_version": {"id": 1}}', None),
    ],
)
def test_the_version_is_short_text_or_a_number(answer: bytes, version: str | None) -> None:
    assert parse(exchange(b'{"a": 1}', answer), BodyMap()).batch.version == version


def test_a_sentence_is_no_version() -> None:
    for version in ("Jane Roe, born 1980", "a\nb", "ä b"):
        answer = json.dumps({"prediction": 1, "model_version": version}).encode()
        assert parse(exchange(b'{"a": 1}', answer), BodyMap()).batch.version is None
