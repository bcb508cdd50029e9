"""Panels that may have nothing to show: what each of them says then, and for whom that is right."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from mlmon_exporter.core.outcomes.task import CLASSIFICATION, REGRESSION

CATEGORY = "category"
NO_SEGMENTS, ONE_VERSION, NO_KPIS, NO_STREAMS = "segments", "versions", "kpis", "streams"
PLAIN, UNCHANGED = "detail", "joint drift"
"""What there is none of."""

RIGHT_FOR: Mapping[str, Set[str]] = {
    "Only numbers have this": {CATEGORY},
    "Needs ground truth of a classification": {REGRESSION},
    "Needs ground truth of a regression": {CLASSIFICATION},
    "Needs ground truth of a second version": {ONE_VERSION},
    "Needs ground truth of a second version of a classification": {ONE_VERSION, REGRESSION},
    "Needs ground truth in the reference of a classification": {REGRESSION},
    "Needs ground truth in the reference of a regression": {CLASSIFICATION},
    "Needs segments and ground truth": {NO_SEGMENTS},
    "Needs segments and a positive class": {NO_SEGMENTS, REGRESSION},
    "Needs business numbers with the id of a prediction": {NO_KPIS},
    "Needs streamed answers": {NO_STREAMS},
    "Needs detail = full": {PLAIN},
    "No feature does": {UNCHANGED},
}
"""What an empty panel says -> of what, one of these, it is right to say."""


def word_of(panel: dict[str, Any]) -> str:
    """Return what a panel says when it is empty."""
    word: str = panel["fieldConfig"]["defaults"]["noValue"]
    return word


def may_be_empty(panel: dict[str, Any], traits: Set[str]) -> bool:
    """Return whether a panel may be empty on a board that shows something with these traits."""
    return bool(RIGHT_FOR.get(word_of(panel), set()) & traits)
