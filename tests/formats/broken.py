"""Bodies that cannot be read."""

from __future__ import annotations

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap

from .bodies import exchange

IMAGE = {"content-type": "image/png"}


PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


SMALL = BodyMap(
    feature_names=("a", "b"), max_rows=3, max_features=4, max_values=6, max_inflated_bytes=1000
)


RESPONSES: dict[str, Exchange] = {
    "no_predictions": exchange(b'{"a": 1}', b'{"status": "ok", "id": "x"}'),
    "mismatched_rows": exchange(b'{"a": 1}', b"[[1], [2]]"),
}
