"""Facts about `mlmon-exporter check --body`: what would be read of a sample, and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlmon_exporter.cli.commands.sample import HINTS
from mlmon_exporter.formats import REASONS
from mlmon_exporter.reference.reference import Reference
from tests.command_line import error, succeeded
from tests.formats.bodies import BODIES

CHAT = BODIES / "openai"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLMON_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def written(folder: Path, body: Any, name: str = "request.json") -> Path:
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
    return path


def test_a_chat_is_shown_without_a_configuration(folder: Path) -> None:
    stem = CHAT / "chat_stream_usage"
    text = succeeded(
        *("check", "--body", f"{stem}.request.json", "--response", f"{stem}.response.sse"),
        *("--path", "/v1/chat/completions"),
    )
    assert "format openai, 1 row, model default" in text
    for row in ("endpoint categorical chat", "prompt_tokens numeric 19", "max_tokens missing"):
        assert row in text
    for row in ("completion_tokens numeric 2", "finish_reason categorical stop"):
        assert row in text


def test_a_mapping_of_the_configuration_is_followed(folder: Path) -> None:
    body = written(folder, {"meta": {"id": 7}, "payload": {"rows": [{"age": 30, "city": "Uri"}]}})
    answer = written(folder, {"out": {"y": [0.25]}, "took": 3}, "response.json")
    mapping = 'features = "payload.rows"\npredictions = "out.y"'
    model = f'[[models]]\nname = "m"\nversion = "7"\n{mapping}'
    written(folder, model.encode(), "mlmon.toml")
    text = succeeded("check", "--body", body, "--response", answer)
    assert "format json, 1 row, model m, version 7" in text
    assert "age numeric 30 city categorical Uri" in text
    assert "prediction numeric 0.25" in text
    assert "took" not in text


def test_columns_are_held_to_the_reference(folder: Path) -> None:
    rows = {"age": [1.0, 2.0, 3.0], "city": ["Uri", "Bern", "Uri"], "y": [0.1, 0.2, 0.3]}
    Reference.build(rows, predictions="y", model="m").save(folder / "m.json")
    written(folder, b'[[models]]\nname = "m"\nreference = "m.json"', "mlmon.toml")
    body = written(folder, {"instances": [{"age": "old", "size": 1}]})
    text = succeeded("check", "--body", body)
    assert "age numeric, invalid here: no number old" in text
    assert "size left out: not in the reference 1" in text
    assert "city categorical, missing here" in text


def test_half_a_sample_is_shown_with_what_to_do_about_the_other(folder: Path) -> None:
    body = written(folder, {"instances": [{"age": 1}, {"age": 2}]})
    answer = written(folder, {"status": "ok"}, "response.json")
    text = succeeded("check", "--body", body, "--response", answer)
    assert "age numeric 1, 2" in text
    assert "Warning: response: cannot be read: no_predictions; set predictions of the model" in text


def test_headers_and_the_path_count(folder: Path) -> None:
    body = written(folder, b"1.5,2\n3.5,4\n", "request.csv")
    header = ("--header", "Content-Type: text/csv")
    text = succeeded("check", "--body", body, *header, "--path", "/invocations")
    assert "2 rows" in text
    assert "numeric" in text


@pytest.mark.parametrize(
    ("body", "arguments", "message"),
    [
        (b"a=1", (), r"as json: body: expected JSON \(not_json\); give its headers: --header"),
        (b"{}", ("--format", "jsno"), r"format: expected auto or one of .*got 'jsno'"),
        (b"{}", ("--header", "x"), r"--header: expected 'name: value', got 'x'"),
        (b"{}", ("--model", "m"), r"--model: expected one of default, got m"),
        (b"[]", (), r"\(no_rows\); set features or predictions of the model"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(
    folder: Path, body: bytes, arguments: tuple[str, ...], message: str
) -> None:
    assert re.search(message, error("check", "--body", written(folder, body), *arguments))


def test_a_file_that_is_not_there_is_said_in_a_line(folder: Path) -> None:
    assert error("check", "--body", "none.json") == "none.json: No such file or directory"


def test_a_response_alone_is_refused(folder: Path) -> None:
    answer = written(folder, {}, "response.json")
    assert error("check", "--response", answer).startswith("--response: expected --body, ")


def test_of_several_models_one_must_be_named(folder: Path) -> None:
    written(folder, b'[[models]]\nname = "a"\n[[models]]\nname = "b"', "mlmon.toml")
    body = written(folder, {"x": 1})
    assert error("check", "--body", body) == "--model: expected one of a, b, got none"
    assert "model b" in succeeded("check", "--body", body, "--model", "b")


def test_every_reason_has_a_hint() -> None:
    assert set(HINTS) == set(REASONS)


def test_columns_that_are_none_of_the_reference_s_are_told(folder: Path) -> None:
    data = {"age": [1.0, 2.0] * 50, "size": [1.0, 3.0] * 50, "score": [0.5, 0.6] * 50}
    Reference.build(data | {"risk": data["score"]}, predictions=["score", "risk"]).save("r.json")
    written(folder, b'[[models]]\nname = "m"\nreference = "r.json"\n', "mlmon.toml")
    body = written(folder, {"a": 1, "b": 2})
    answer = written(folder, {"label": 1, "took": 3}, "response.json")
    text = succeeded("check", "--body", body, "--response", answer)
    assert "none of the features read (a, b) is one of the reference (age, size)" in text
    assert "none of the outputs read (label) is one of the reference (score, risk)" in text
    answer = written(folder, {"score": 1}, "response.json")
    text = succeeded("check", "--body", written(folder, {"age": 1}), "--response", answer)
    assert "none of the" not in text
