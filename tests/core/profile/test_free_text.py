"""Facts about what is a secret by its name, and what is free text by its values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlmon_exporter.core.profile.free_text import (
    all_sizes,
    input_names,
    is_long,
    is_secret,
    is_text_name,
    measured,
    sizes,
    sources,
)


@pytest.mark.parametrize(
    "name",
    """password Password PASSWORD passwd user_password userPassword user-password new.password
    login.user.password passwordHash password_confirmation token accessToken access_token
    ACCESS_TOKEN refresh-token csrftoken x-csrf-token id_token[0] secret client_secret
    clientSecret secretKey Authorization headers.authorization x_authorization proxyAuthorization
    api_key apiKey API-KEY APIKey xApiKey apikey openai_api_key headers[3].api_key cookie Cookie
    session_cookie setCookie credentials.user private_key data.pass auth jwt bearer""".split(),
)
def test_a_secret_is_known_by_its_name_in_any_spelling(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    """age prompt_tokens completion_tokens max_tokens cached_tokens token_count tokenCount
    num_token password_length has_cookie cookie_age secretary occupation_secretary tokenizer
    cookies_sold author key keyboard monkey pass_count compass passenger id user""".split(),
)
def test_other_names_are_no_secrets(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("name", ["prompt", "inputs", "data.question", "text_input", "inputs[0]"])
def test_what_people_write_to_is_text_by_its_name(name: str) -> None:
    assert is_text_name(name)


@pytest.mark.parametrize("name", ["city", "inputs.city", "context_window", "0", ""])
def test_other_names_say_nothing(name: str) -> None:
    assert not is_text_name(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Technical, sales, and administrative support", False),
        ("x" * 64, False),
        ("x" * 65, True),
        ("My name is Jane Roe, born 1 April", True),
        ("one two three\nfour", True),
        ("", False),
    ],
)
def test_a_long_text_names_no_category(text: str, expected: bool) -> None:
    assert is_long(text) is expected


def test_a_texts_columns_are_one_input() -> None:
    names = (
        "a",
        "t.characters",
        "t.words",
        "b",
        "words",
        "u.words",
        "v.words",
        "v.characters",
        "v",
    )
    assert sources(names) == ("t",)
    assert input_names(names) == ("a", "t", "b", "words", "u.words", "v.words", "v.characters", "v")


def test_characters_and_words_stand_beside_their_text() -> None:
    assert measured({"t": "Good day", "a": 1}, 1, ["t", "absent"]) == {
        "t.characters": 8.0, "t.words": 2.0, "t": "Good day", "a": 1,
    }  # fmt: skip
    block = measured({"t": ["Good day", None, 5]}, 3, ["t"])
    assert block["t.words"].tolist()[0] == 2.0
    assert math.isnan(block["t.words"][1])
    assert math.isinf(block["t.words"][2])


def test_sizes_of_many_texts_are_those_of_each() -> None:
    texts = ["two words", "", None, " ", "\u00e9t\u00e9\n\u3000x", "a" * 300]
    for values in (texts, [*texts, 3, math.nan, ["one"]], []):
        plain = [value[0] if isinstance(value, list) else value for value in values]
        expected = np.array([*map(sizes, plain)]).reshape(-1, 2).T
        np.testing.assert_array_equal(all_sizes(values), expected)
