"""The real bodies under `tests/bodies/<format>/`, as exchanges and what they hold.

A body is `NAME.request.*`, `NAME.response.*` and `NAME.expected.json`: the batch, worked out by
hand, or from what was sent to a server. `NAME.meta.json` has its source and, where they matter,
path, status, headers and what the model's `BodyMap` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlmon_exporter.core.records import Exchange, Headers
from mlmon_exporter.formats import BodyMap

BODIES = Path(__file__).parent.parent / "bodies"


class Body(NamedTuple):
    """One request and response, and the batch that they are."""

    name: str
    format: str
    exchange: Exchange
    body_map: BodyMap
    expected: dict[str, Any]


def exchange(
    request: bytes | Iterable[bytes],
    response: bytes | Iterable[bytes] = b"",
    *,
    path: str = "/predict",
    status: int = 200,
    request_headers: Mapping[str, str] | None = None,
    response_headers: Mapping[str, str] | None = None,
) -> Exchange:
    """Return an exchange of these bodies; headers default to JSON's content type."""
    return Exchange(
        arrived=0.0,
        model="m",
        route=path,
        path=path,
        status=status,
        prediction_id="p",
        request_headers=_headers(request_headers),
        request_chunks=_chunks(request),
        response_headers=_headers(response_headers),
        response_chunks=_chunks(response),
    )


def read_all() -> list[Body]:
    """Return all bodies, of all formats."""
    return [_read(path) for path in sorted(BODIES.glob("*/*.request.*"))]


def _read(path: Path) -> Body:
    stem = path.name.partition(".request.")[0]
    meta = json.loads(path.with_name(f"{stem}.meta.json").read_bytes())
    sent = {key: meta[key] for key in _EXCHANGE & meta.keys()}
    (response,) = path.parent.glob(f"{stem}.response.*")
    return Body(
        f"{path.parent.name}/{stem}",
        path.parent.name,
        exchange(path.read_bytes(), response.read_bytes(), **sent),
        _body_map(meta),
        json.loads(path.with_name(f"{stem}.expected.json").read_bytes()),
    )


_EXCHANGE = {"path", "status", "request_headers", "response_headers"}


def _body_map(meta: Mapping[str, Any]) -> BodyMap:
    return BodyMap(
        feature_names=tuple(meta.get("feature_names", ())),
        output_names=tuple(meta.get("output_names", ())),
        features=meta.get("features"),
        predictions=meta.get("predictions"),
    )


def _headers(headers: Mapping[str, str] | None) -> Headers:
    headers = {"content-type": "application/json"} if headers is None else headers
    return {name.encode(): value.encode() for name, value in headers.items()}


def _chunks(body: bytes | Iterable[bytes]) -> list[bytes]:
    return [body] if isinstance(body, bytes) else list(body)


def canonical_text(value: object) -> str:
    """A value as JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, default=lambda array: array.tolist())
