"""Facts about values of the configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.config.keys import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h", 3_600), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)],
)
def test_a_duration_keeps_the_users_text(text: str, seconds: int) -> None:
    assert Duration.parse(text) == Duration(label=text, seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "h",
        "1",
        "0h",
        "01h",
        "-1h",
        "1.5h",
        "1 h",
        "1H",
        "1h\n",
        "\u0661h",
        "9999999h",
        60,
        None,
    ],
)
def test_other_durations_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a duration such as '1h', got ") as raised:
        Duration.parse(value)
    assert str(raised.value).endswith(repr(value))


@given(st.text(max_size=8))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert Duration.parse(text).seconds > 0
    except ValueError as error:
        assert str(error) == f"expected a duration such as '1h', got {text!r}"  # noqa: PT017
