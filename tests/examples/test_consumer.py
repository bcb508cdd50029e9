"""The example of a consumer scores, counts, and is scraped through the state directory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mlmon_exporter import Config, Reference
from mlmon_exporter.cli.server import server_app
from tests.asgi import get, post_all

EXAMPLE = Path(__file__).parents[2] / "examples" / "consumer.py"


def test_a_consumer_is_counted_like_a_server(tmp_path: Path) -> None:
    calls = [float(n % 10) for n in range(200)]
    rows = {
        "support_calls": calls,
        "p": [0.1 + 0.02 * each for each in calls],
        "left": [0, 1] * 100,
    }
    reference = tmp_path / "churn.json"
    Reference.build(rows, predictions="p", ground_truth="left").save(reference)
    orders = [{"order": str(n), "features": {"support_calls": n % 10}} for n in range(50)]
    orders += [{"order": "50", "features": {}}]
    done = subprocess.run(
        [sys.executable, EXAMPLE, reference],
        input="\n".join(map(json.dumps, orders)),
        capture_output=True,
        text=True,
        env={**os.environ, "MLMON_STATE_DIR": str(tmp_path / "state")},
        timeout=120,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 50
    assert done.stderr == "order 50: KeyError('support_calls')\n"
    options = {"model": "churn", "reference": reference, "state_dir": tmp_path / "state"}
    server = server_app(Config.from_options(None, token="t", **options))
    text = get(server, "/metrics").text
    labels = 'model="churn",version="",route="orders",method="other"'
    assert f'mlmon_requests_total{{{labels},status="200",outcome="ok"}} 50\n' in text
    assert f'mlmon_requests_total{{{labels},status="500",outcome="server_error"}} 1\n' in text
    counted = r'mlmon_prediction_rows_total{model="churn",version=""} 50(\.0)?$'
    assert re.search(counted, text, re.MULTILINE)
    truth = [{"prediction_id": f"order-{n}", "ground_truth": n % 2} for n in range(50)]
    (answer,) = post_all(server, "/ground-truth", [truth], {"authorization": "Bearer t"})
    assert answer.json()["matched"] == 50
