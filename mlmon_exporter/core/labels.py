"""Label values: safe and bounded text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

LABEL_LENGTH = 128
OTHER = "other"
"""The label of what no route handled, of methods that HTTP does not know, of what is over a cap."""


def clean_label(text: str) -> str:
    """Return the text with lone surrogates, which cannot be encoded, as U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def short_label(text: str) -> str:
    """Return the text, cut to `LABEL_LENGTH` characters with an ellipsis."""
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"


def distinct_labels(names: Sequence[str], reserved: Iterable[str] = ()) -> tuple[str, ...]:
    """Return a short, clean label for each name, all different from each other and `reserved`."""
    taken = set(reserved)
    numbers: dict[str, int] = {}
    labels = []
    for name in names:
        label = short_label(clean_label(name))
        stem = label[: LABEL_LENGTH - 8]
        number = numbers.get(stem, 2)
        while label in taken:
            label = f"{stem} ({number})"
            number += 1
        numbers[stem] = number
        taken.add(label)
        labels.append(label)
    return tuple(labels)


def read_labels(form: Any, count: int) -> tuple[str, ...]:
    """Read label values from the store; raises ValueError unless they are `count` texts."""
    if not isinstance(form, list) or len(form) != count or {*map(type, form)} != {str}:
        raise ValueError(f"labels: expected {count} texts, got {form!r:.80}")
    return tuple(form)
