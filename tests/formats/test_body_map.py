"""Facts about names that bare values get."""

from __future__ import annotations

import pytest

from mlmon_exporter.formats import BodyMap, FormatError
from mlmon_exporter.formats.body_map import name_parts

KNOWN = BodyMap(feature_names=("age", "city"), output_names=("score",))


def test_values_of_a_row_have_the_models_names_or_their_positions() -> None:
    assert KNOWN.name_features(2) == ("age", "city")
    assert BodyMap().name_features(3) == ("0", "1", "2")


def test_a_row_of_another_length_than_the_models_is_refused() -> None:
    with pytest.raises(FormatError, match="expected 2 values, got 3") as error:
        KNOWN.name_features(3)
    assert error.value.reason == "mismatched_names"


@pytest.mark.parametrize(
    ("body_map", "width", "names"),
    [
        (KNOWN, 1, ("score",)),
        (KNOWN, 2, ("prediction[0]", "prediction[1]")),
        (BodyMap(), 1, ("prediction",)),
        (BodyMap(), 2, ("prediction[0]", "prediction[1]")),
        (BodyMap(output_names=("a", "b")), 1, ("a",)),
        (BodyMap(output_names=("a", "b")), 2, ("a", "b")),
    ],
)
def test_outputs_have_the_models_names_where_they_fit(
    body_map: BodyMap, width: int, names: tuple[str, ...]
) -> None:
    assert tuple(body_map.name_outputs(width)) == names


def test_parts_are_numbered_unless_there_is_one() -> None:
    assert name_parts("y", 1) == ("y",)
    assert name_parts("y", 2) == ("y[0]", "y[1]")
