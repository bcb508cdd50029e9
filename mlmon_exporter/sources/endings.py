"""Status and outcome of a request, by how it ended: one table."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import Literal

from mlmon_exporter.core.counts.requests import RequestLabels

Error = Literal["none", "raised", "cancelled", "exited"]
"""End of the app: it returned, raised an Exception, was cancelled, or the process exits."""
Ending = tuple[bool, bool, bool, Error]
"""(started, answered, left, error): response started, last byte sent, client gone, app's end."""

Labels = tuple[str, str, str]
"""Model, version and route; model and version are empty where the request is for no model."""

CLIENT_LEFT = 499
"""Status of a request whose client left before there was one: nginx's, which no app sends."""
CANCELLED = 504
"""Status of a request cancelled before there was one: that of a time limit around us.

Servers tell the app that a client has left and let it go on; they cancel for other reasons.
(Daphne also cancels an app that goes on for ten seconds after that.)
"""
OWN = 0
"""The response's own status."""
BY_STATUS = ""
"""The outcome that the status stands for."""

NO, YES, ANY = (False,), (True,), (False, True)
NONE: tuple[Error, ...] = ("none",)
RAISED: tuple[Error, ...] = ("raised",)
STOPPED: tuple[Error, ...] = ("cancelled",)
EXITED: tuple[Error, ...] = ("exited",)
ERRORS = NONE + RAISED + STOPPED + EXITED

RULES = (
    # started, answered, left, error -> status, outcome
    ((NO, ANY, NO, NONE + RAISED + EXITED), (500, "server_error")),
    ((NO, ANY, NO, STOPPED), (CANCELLED, "server_error")),
    ((NO, ANY, YES, ERRORS), (CLIENT_LEFT, "disconnected")),
    ((YES, ANY, YES, ERRORS), (OWN, "disconnected")),
    ((YES, NO, NO, ERRORS), (OWN, "interrupted")),
    ((YES, YES, NO, RAISED), (OWN, "interrupted")),
    # After the last byte, a cancellation hits work that is no part of the answer.
    ((YES, YES, NO, NONE + STOPPED + EXITED), (OWN, BY_STATUS)),
)
ENDINGS: Mapping[Ending, tuple[int, str]] = {
    ending: result for causes, result in RULES for ending in product(*causes)
}


@lru_cache(1024)  # a request is served in some 10 us, of which the table alone would take 0.5
def request_labels(
    labels: Labels, method: str, status: int, is_answered: bool, has_left: bool, error: Error
) -> RequestLabels:
    """Return all labels that a request is counted under, the same object for all that are alike.

    Args:
        labels: Model, version and route.
        method: The request's.
        status: As of `ended`, like the rest.
    """
    return (*labels, method, *ended(status, is_answered, has_left, error))


def ended(status: int, is_answered: bool, has_left: bool, error: Error) -> tuple[int, str]:
    """Return the status and outcome that a request is counted under.

    Args:
        status: The response's, 0 if it never started.
        is_answered: Its last byte was sent.
        has_left: The client left before that.
        error: How the app ended, as `error_of` says.
    """
    counted, outcome = ENDINGS[status != 0, is_answered, has_left, error]
    return counted or status, outcome or outcome_of(status)


def outcome_of(status: int) -> str:
    """Return the outcome of a response that was sent whole."""
    return "ok" if status < 400 else "client_error" if status < 500 else "server_error"


def error_of(error: BaseException | None) -> Error:
    """Return the kind of an exception."""
    if error is None:
        return "none"
    if isinstance(error, (CancelledError, GeneratorExit)):
        return "cancelled"
    return "raised" if isinstance(error, Exception) else "exited"
