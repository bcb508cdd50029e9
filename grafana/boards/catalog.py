"""All boards, and what no board shows."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.models.dashboard import Dashboard

from . import drift, operations, overview, quality


def boards() -> dict[str, Dashboard]:
    """Return each board by its file's name, which is its uid."""
    made = (overview.board(), drift.board(), quality.board(), operations.board())
    return {f"{board.uid}.json": board for board in made}


NOT_SHOWN: Mapping[str, str] = {
    f"mlmon_{side}_{what}_total": f'the bin "{what}" has the same rows'
    for side in ("feature", "prediction")
    for what in ("missing", "unseen")
}
"""Metrics that no board shows -> why."""
