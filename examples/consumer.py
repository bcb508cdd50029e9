"""Score orders from a queue and watch the model: no web server in this process.

    python examples/consumer.py churn.reference.json < orders.jsonl > scores.jsonl

Each line of the input is `{"order": "17", "features": {...}}`. In a Celery task or a Kafka consumer
the body of the loop is the same. Prometheus scrapes `mlmon-exporter serve`, which reads the state
directory that MLMON_STATE_DIR names, and joins ground truth by the order's number.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlmon_exporter import Monitor


def score(features: Mapping[str, Any]) -> float:
    """Stand in for a model: `model.predict_proba(...)`."""
    return min(1.0, 0.1 + 0.02 * float(features["support_calls"]))


def scores(lines: Iterable[str], monitor: Monitor) -> Iterator[Mapping[str, Any]]:
    """Give the score of each order; one that cannot be scored is passed over, and counted."""
    for line in lines:
        order = json.loads(line)
        try:
            with monitor.prediction("orders", prediction_id=f"order-{order['order']}") as p:
                p.features = order["features"]
                p.output = score(order["features"])
        except (KeyError, ValueError) as error:
            print(f"order {order['order']}: {error!r}", file=sys.stderr)
            continue
        yield {"order": order["order"], "score": p.output}


def main() -> None:
    """Score what stands on standard input."""
    # A `with` statement: at its end all that was counted is in the state directory.
    with Monitor(model="churn", reference=sys.argv[1]) as monitor:
        for scored in scores(sys.stdin, monitor):
            print(json.dumps(scored), flush=True)


if __name__ == "__main__":
    main()
