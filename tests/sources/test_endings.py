"""The table of outcomes: whole, and the same as the rules in words."""

from __future__ import annotations

from asyncio import CancelledError
from itertools import product

import pytest

from mlmon_exporter.sources.endings import ENDINGS, RULES, ended, error_of, outcome_of

ERRORS = (None, ValueError(), SystemExit(), CancelledError(), GeneratorExit())
CAUSES = [*product((0, 200, 302, 404, 503), (False, True), (False, True), ERRORS)]


def test_each_ending_has_one_rule() -> None:
    endings = [ending for causes, _ in RULES for ending in product(*causes)]
    assert len(endings) == len(ENDINGS) == 2 * 2 * 2 * 4


@pytest.mark.parametrize("cause", CAUSES)
def test_the_table_says_what_the_rules_say_in_words(
    cause: tuple[int, bool, bool, BaseException | None],
) -> None:
    status, is_answered, has_left, error = cause
    counted, outcome = ended(status, is_answered, has_left, error_of(error))
    is_cancelled = isinstance(error, CancelledError | GeneratorExit)
    if has_left:
        assert (counted, outcome) == (status or 499, "disconnected")
    elif not status:
        assert (counted, outcome) == (504 if is_cancelled else 500, "server_error")
    elif isinstance(error, Exception) or not is_answered:
        assert (counted, outcome) == (status, "interrupted")
    else:
        assert (counted, outcome) == (status, outcome_of(status))


def test_only_an_answer_that_was_sent_whole_is_ok() -> None:
    for cause in CAUSES:
        status, is_answered, has_left, error = cause
        if ended(status, is_answered, has_left, error_of(error))[1] == "ok":
            assert status in (200, 302)
            assert is_answered
            assert not has_left
