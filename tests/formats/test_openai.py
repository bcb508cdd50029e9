"""Facts about what is read of language models: sizes and reasons, whatever the stream, no texts."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats import BodyMap, FormatError, parse
from mlmon_exporter.formats.answers import FINISHES
from tests.formats.chat import CHAT, EVENTS, SECRET, answered, asked, delta, read

from .bodies import exchange

# --- Streams ---


def test_a_stream_without_a_content_type_is_known_by_its_start() -> None:
    stream = answered(delta("Hello", "stop"))
    assert read(stream, response_headers={})["completion_characters"] == 5


def test_a_compressed_stream_is_read() -> None:
    stream = gzip.compress(answered(delta("Hello", "stop")))
    headers = {**EVENTS, "content-encoding": "gzip"}
    assert read(stream, response_headers=headers)["completion_characters"] == 5


# --- What is read ---


@pytest.mark.parametrize("key", ["temperature", "max_tokens", "n", "max_completion_tokens"])
@pytest.mark.parametrize("value", ["my secret", ["my secret"], {"a": "my secret"}, True])
def test_a_setting_that_is_no_number_is_missing(key: str, value: Any) -> None:
    found = read(answered(delta("x", "stop")), asked(**{key: value}))
    assert found[{"n": "choices", "max_completion_tokens": "max_tokens"}.get(key, key)] is None


@pytest.mark.parametrize(
    ("model", "answered_by", "version"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("m", "m", None),
        ("m", "a text that somebody wrote", None),
        ("m", "x" * 65, None),
        ("m", 7, None),
        (None, "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
    ],
)
def test_the_version_is_the_model_that_answered_if_it_is_another(
    model: Any, answered_by: Any, version: str | None
) -> None:
    stream = answered({**delta("x", "stop"), "model": answered_by})
    parsed = parse(exchange(asked(model=model), stream, path=CHAT), BodyMap())
    assert parsed.batch.version == version


# --- What is recognised ---


@pytest.mark.parametrize(
    "path",
    [CHAT, "/openai/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses/",
     "/openai/deployments/gpt/chat/completions", "/v1/audio/transcriptions", "/v1/rerank"],
)  # fmt: skip
def test_paths_are_certain(path: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(b'{"text": "my secret"}', b'{"text": "my secret"}', path=path), BodyMap())
    assert raised.value.format == "openai"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": ["Hi", "Ho"]},
        {"prompt": "Hi"},
        {"prompt": ["Hi", "Ho"]},
        {"model": "m", "input": "Hi"},
        {"model": "m", "input": ["Hi"]},
        {"model": "m", "input": [{"role": "user", "content": "Hi"}]},
    ],
)
def test_requests_are_known_by_their_keys(body: dict[str, Any]) -> None:
    parsed = parse(exchange(json.dumps(body).encode(), b'{"text": "x"}'), BodyMap())
    assert parsed.format == "openai"
    assert parsed.batch.predictions == {}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": 3, "age": 4},
        {"messages": [1, 2], "age": [3, 4]},
        {"prompt": 1.5},
        {"input": 4.5},
        {"model": "m", "input": 4.5},
        {"model": "m", "input": [1.0, 2.0]},
        {"input": "red"},
    ],
)
def test_features_with_such_names_are_features(body: dict[str, Any]) -> None:
    assert parse(exchange(json.dumps(body).encode(), b"[1]"), BodyMap()).format == "json"


def test_a_mapping_that_the_user_gives_is_followed() -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "context": {"age": 3}}
    both = exchange(json.dumps(body).encode(), b'{"reply": "Hi", "scores": {"risk": 0.5}}')
    batch = parse(both, BodyMap(features="context", predictions="scores")).batch
    assert (batch.features, batch.predictions) == ({"age": 3}, {"risk": 0.5})


# --- No text of anybody's ---


KEYS = st.sampled_from(
    """messages prompt input model role content text choices index delta message finish_reason usage
    prompt_tokens completion_tokens prompt_tokens_details cached_tokens tool_calls function_call
    response output type status incomplete_details reason data embedding tools n max_tokens
    temperature stream instructions""".split()
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.sampled_from([SECRET, "stop", "completed", "response.output_text.delta", "message"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
ALLOWED = {*FINISHES, "other", "mixed", "chat", "completions", "embeddings", "responses"}


@given(JSON, st.lists(JSON, max_size=4), st.booleans(), st.sampled_from([CHAT, "/v1/responses"]))
def test_whatever_stands_where_only_numbers_and_known_words_come_out(
    request_: Any, responses: list[Any], is_stream: bool, path: str
) -> None:
    answer = answered(*responses) if is_stream else json.dumps(responses[:1]).encode()[1:-1]
    body = exchange(json.dumps(request_).encode(), answer, path=path)
    try:
        batch = parse(body, BodyMap()).batch
    except FormatError:
        return
    assert batch.rows == 1
    for value in (*batch.features.values(), *batch.predictions.values()):
        assert value is None or type(value) in (int, float) or value in ALLOWED
