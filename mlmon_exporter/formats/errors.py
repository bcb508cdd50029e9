"""The one error that a body may raise, and the fixed set of reasons for it."""

from __future__ import annotations

from typing import Literal, get_args

Reason = Literal[
    # The bytes.
    "empty_body",
    "unsupported_encoding",
    "bad_encoding",
    "compressed_too_large",
    "unsupported_media",
    "not_json",
    "too_deep",
    "malformed",
    # The value.
    "path_missing",
    "not_a_prediction",
    "unknown_model",
    "no_rows",
    "no_columns",
    "no_predictions",
    "ragged_rows",
    "mismatched_names",
    "mismatched_rows",
    # The size.
    "too_many_rows",
    "too_many_features",
    "too_many_values",
]

REASONS: tuple[Reason, ...] = get_args(Reason)
"""All that `FormatError.reason` may be: bounded, so it serves as a label value."""

UNKNOWN = "unknown"


class FormatError(ValueError):
    """A body that cannot be read.

    The message says what was expected and what was there, in counts and types: never a value,
    since it goes to logs, and bodies are private.

    Attributes:
        reason: One of `REASONS`.
        format: The name of the format that gave up; `UNKNOWN` until `parse` has chosen one.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.format = UNKNOWN
