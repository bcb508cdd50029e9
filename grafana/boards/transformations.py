"""What Grafana does with answers before it shows them as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.models.dashboard import DataTransformerConfig


def merged() -> DataTransformerConfig:
    """Return what makes one table of the answers of all queries, by the labels they share."""
    return DataTransformerConfig(id_val="merge", options={})


def organized(names: Mapping[str, str], hidden: Sequence[str] = ()) -> DataTransformerConfig:
    """Return what renames, orders and hides the columns of a table."""
    value = {
        "renameByName": dict(names),
        "indexByName": {name: i for i, name in enumerate(names)},
        "excludeByName": dict.fromkeys(hidden, True),
    }
    return DataTransformerConfig(id_val="organize", options=value)


def sorted_by(column: str, *, descending: bool) -> DataTransformerConfig:
    """Return what sorts a table's rows."""
    value = {"sort": [{"field": column, "desc": descending}]}
    return DataTransformerConfig(id_val="sortBy", options=value)
