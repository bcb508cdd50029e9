from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from .growth import LINEAR, Growth, intake_microseconds
from .picture import draw


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_is_that_of_the_law_beyond_a_fixed_cost(power: float) -> None:
    sizes = (1, 10, 100, 1000)
    costs = (50.0, *(size**power for size in sizes[1:]))
    assert Growth("g", "cost", "size", "us", sizes, costs).exponent == pytest.approx(power)


def test_a_row_of_ten_times_the_features_does_not_cost_more_than_ten_times() -> None:
    sizes = (30, 300)
    costs = tuple(intake_microseconds(size, rows=1) for size in sizes)
    assert Growth("features", "cost", "features", "us", sizes, costs).exponent <= LINEAR


def test_the_picture_is_an_svg_with_a_point_for_each_size() -> None:
    picture = draw(Growth("g", "cost", "size", "us", (1, 10, 100), (5.0, 6.0, 40.0)))
    root = ET.fromstring(picture)
    assert len(root.findall("{*}circle")) == 3
