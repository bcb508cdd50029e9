"""Facts about our own pages in a WSGI app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlmon_exporter import Reference
from tests.sources.wsgi.watched import (
    JSON,
    Result,
    watched,
)


def test_metrics_and_ground_truth_are_served_there_too(tmp_path: Path) -> None:
    labels = ["no", "yes"] * 50
    path = tmp_path / "reference.json"
    data = {"a": [0.0, 1.0] * 50, "label": labels, "truth": labels}
    Reference.build(data, predictions="label", ground_truth="truth").save(path)

    def answers(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [JSON])
        return [b'{"predictions": [{"label": "yes"}]}']

    wrapped, monitor = watched(answers, reference=path, token="t" * 16)
    with monitor:
        body = b'{"instances": [{"a": 1.0}]}'
        Result(wrapped, body=body, HTTP_X_PREDICTION_ID="p")
        truth = b'{"prediction_id": "p", "ground_truth": "yes"}'
        token: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {'t' * 16}"}
        assert Result(wrapped, "/ground-truth", truth).status == "401 Unauthorized"
        told = Result(wrapped, "/ground-truth", truth, **token)
        assert (told.status, json.loads(told.body)["matched"]) == ("200 OK", 1)
        scrape = Result(wrapped, "/metrics", b"", REQUEST_METHOD="GET")
        assert scrape.status == "200 OK"
        assert b'mlmon_requests_total{model="m"' in scrape.body
        assert b'route="/metrics"' not in scrape.body
