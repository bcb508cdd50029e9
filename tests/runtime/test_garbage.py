import gc
from collections.abc import Iterator

import pytest

from mlmon_exporter.runtime.garbage import uncollected

MANY = 100 * gc.get_threshold()[0]


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Gives the generations that were collected since."""
    found: list[int] = []

    def note(phase: str, information: dict[str, int]) -> None:
        if phase == "start":
            found.append(information["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def containers() -> int:
    return len([[] for _ in range(MANY)])


def test_containers_that_are_made_and_freed_set_off_no_collection(collections: list[int]) -> None:
    assert containers() == MANY
    assert collections
    collections.clear()
    assert uncollected(containers) == MANY
    assert not collections


def test_the_collector_goes_on_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        uncollected(lambda: 1 / 0)
    assert gc.isenabled()


def test_a_collector_that_the_app_has_switched_off_stays_off() -> None:
    gc.disable()
    try:
        assert uncollected(containers) == MANY
        assert not gc.isenabled()
    finally:
        gc.enable()
