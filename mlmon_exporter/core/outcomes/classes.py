"""The order of classes; `names.class_name` names them."""

from __future__ import annotations

from collections.abc import Iterable

from mlmon_exporter.core.profile.names import category_number


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return classes in scikit-learn's order: as numbers if all are numbers, else as texts.

    Unnamed probabilities belong to classes in this order.
    """
    texts = sorted(set(names))
    values = {name: category_number(name) for name in texts}
    if None in values.values():
        return tuple(texts)
    return tuple(sorted(texts, key=lambda name: values[name] or 0))
