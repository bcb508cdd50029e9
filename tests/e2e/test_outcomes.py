"""Incomes and bicycle rentals through a real server, outcomes late, lost, twice and of nobody:
every number of quality and fairness is scikit-learn's or fairlearn's on the joined rows.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from fairlearn import metrics as fair
from prometheus_client.parser import text_string_to_metric_families
from sklearn import metrics

from mlmon_exporter import Reference
from mlmon_exporter.cli.demo.datasets import Labelled, Row, Splits, bike_splits, income_splits
from mlmon_exporter.cli.demo.models import BikeModel, IncomeModel

from .servers import free_port, program, wait_until

TOKEN = "secret"
WRITER = {"Authorization": f"Bearer {TOKEN}"}
DAY_SECONDS = 2.4
"""How long a day of the server takes."""
SPEED = 86400.0 / DAY_SECONDS
WINDOW = "90d"
"""Longer than all that is done with one server takes."""
FLUSH_SECONDS = 0.3
HIGH = ">50K"
AGES = (25, 45, 65)
CONFIG = f"""
windows = ["{WINDOW}"]
false_alarm_every = "{WINDOW}"
pending_age = "90d"
flush_seconds = {FLUSH_SECONDS}
token = "{TOKEN}"

[[models]]
name = "income"
version = "1"
reference = "income.json"
routes = ["/income/predict"]
segments = ["sex", {{feature = "age", edges = [25, 45, 65]}}]

[[models]]
name = "bike"
version = "1"
reference = "bike.json"
routes = ["/bike/predict"]
segments = ["workingday"]
"""


# Each request has a connection of its own, so that any worker may get it.
client = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=60)


class Sent(NamedTuple):
    """A row that was predicted."""

    row: Row
    prediction: Any
    truth: Any


class Host(NamedTuple):
    """What both servers need, and what is sent to them."""

    folder: Path
    """With references, configuration, and what the models say of each row."""
    income: Labelled
    bike: Labelled


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    path = tmp_path_factory.mktemp("outcomes")
    income, bike = income_splits(), bike_splits()
    income_model, bike_model = IncomeModel(income.training), BikeModel(bike.training)
    answers = income_model.predict(income.reference.rows)
    Reference.build(
        {
            **_columns(income.reference.rows),
            **_columns(answers),
            "truth": [*income.reference.outcomes],
        },
        predictions=("label", "probability"),
        ground_truth="truth",
    ).save(path / "income.json")
    rentals = bike_model.predict(bike.reference.rows)
    Reference.build(
        {**_columns(bike.reference.rows), "rentals": rentals, "cnt": [*bike.reference.outcomes]},
        predictions="rentals",
        ground_truth="cnt",
        categorical=["workingday"],
    ).save(path / "bike.json")
    (path / "mlmon.toml").write_text(CONFIG)
    sent = Host(path, _first(income, 3000), _first(bike, 400))
    said = {
        "income": _answers(sent.income.rows, income_model.predict(sent.income.rows)),
        "bike": _answers(sent.bike.rows, bike_model.predict(sent.bike.rows)),
    }
    (path / "answers.json").write_text(json.dumps(said))
    return sent


def _first(parts: Splits, count: int) -> Labelled:
    """Return so many rows of each stretch of the traffic."""
    of = parts.traffic.values()
    return Labelled(
        [row for part in of for row in part.rows[:count]],
        [outcome for part in of for outcome in part.outcomes[:count]],
    )


def _answers(rows: Sequence[Row], predictions: Sequence[Any]) -> dict[str, Any]:
    return {json.dumps(row): said for row, said in zip(rows, predictions, strict=True)}


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


@contextmanager
def serving(folder: Path, state: Path, workers: int, began: float) -> Iterator[str]:
    """Run the server; gives its URL."""
    port = free_port()
    environment = {
        "CLOCK_BEGAN": repr(began),
        "CLOCK_SPEED": repr(SPEED),
        "ANSWERS": str(folder / "answers.json"),
        "CONFIG": str(folder / "mlmon.toml"),
        "MLMON_STATE_DIR": str(state),
    }
    command = ["env", *(f"{name}={value}" for name, value in environment.items()), sys.executable]
    command += ["-m", "uvicorn", "tests.e2e.outcome_app:app", "--workers", str(workers)]
    command += ["--log-level", "error", "--port", str(port)]
    command += ["--timeout-worker-healthcheck", "30"]  # it kills those that say nothing for so long
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        return client.get(f"{url}/process").status_code == 200

    with program(command, is_ready, state.parent / "server.log"):
        yield url


def predict(url: str, model: str, part: Labelled) -> dict[str, Sent]:
    """Have rows predicted, 40 a request; return them by their ids."""
    sent: dict[str, Sent] = {}
    for start in range(0, len(part.rows), 40):
        rows, truths = part.rows[start : start + 40], part.outcomes[start : start + 40]
        name = f"{model}-{start}"
        answer = client.post(
            f"{url}/{model}/predict", json={"instances": rows}, headers={"X-Prediction-Id": name}
        )
        predictions = answer.json()["predictions"]
        for i, (row, prediction, truth) in enumerate(zip(rows, predictions, truths, strict=True)):
            sent[f"{name}:{i}"] = Sent(row, prediction, truth)
    return sent


def feedback(sent: Mapping[str, Sent], rng: random.Random) -> tuple[list[Any], set[str]]:
    """Return what comes back, shuffled: 70 % of the truths, some twice, some of nobody."""
    arrived = {name for name in sent if rng.random() > 0.3}
    names = [*sorted(arrived), *rng.sample(sorted(arrived), len(arrived) // 20)]
    records = [{"prediction_id": n, "ground_truth": sent[n].truth} for n in names]
    records += [
        {"prediction_id": f"nobody-{i}", "ground_truth": 1} for i in range(len(arrived) // 20)
    ]
    rng.shuffle(records)
    return records, arrived


def post_over_a_day(url: str, records: Sequence[Any]) -> dict[str, int]:
    """Send them in parts, until a day of the server has passed; return the sums of the answers."""
    sums: dict[str, int] = {}
    parts, pause = [records[i::24] for i in range(24)], threading.Event()
    for part in parts:
        answer = client.post(f"{url}/ground-truth", json=part, headers=WRITER)
        assert answer.status_code == 200, answer.text
        for status, count in answer.json().items():
            if status != "errors":
                sums[status] = sums.get(status, 0) + count
        pause.wait(DAY_SECONDS / len(parts))
    return sums


def scrape(url: str) -> dict[tuple[str, ...], float]:
    """Return all samples: name, model, segment feature and segment -> value."""
    keys = ("model", "segment_feature", "segment")
    return {
        (sample.name, *(sample.labels.get(key, "") for key in keys)): sample.value
        for family in text_string_to_metric_families(client.get(f"{url}/metrics").text)
        for sample in family.samples
        if sample.labels.get("window", WINDOW) == WINDOW and "le" not in sample.labels
    }


def classification(rows: Sequence[Sent]) -> dict[str, float]:
    """Return scikit-learn's numbers."""
    truth = np.array([row.truth == HIGH for row in rows])
    label = np.array([row.prediction["label"] == HIGH for row in rows])
    score = np.array([row.prediction["probability"] for row in rows])
    bins = np.minimum((score * 10).astype(int), 9)
    gaps = [abs(truth[bins == b].sum() - score[bins == b].sum()) for b in range(10)]
    return {
        "accuracy": metrics.accuracy_score(truth, label),
        "precision": metrics.precision_score(truth, label),
        "recall": metrics.recall_score(truth, label),
        "f1": metrics.f1_score(truth, label),
        "roc_auc": metrics.roc_auc_score(truth, score),
        "log_loss": metrics.log_loss(truth, score),
        "brier": metrics.brier_score_loss(truth, score),
        "calibration_error": sum(gaps) / len(rows),
        "rows": float(len(rows)),
    }


def regression(rows: Sequence[Sent]) -> dict[str, float]:
    """Return scikit-learn's numbers."""
    truth, value = [row.truth for row in rows], [row.prediction for row in rows]
    return {
        "rmse": math.sqrt(metrics.mean_squared_error(truth, value)),
        "mae": metrics.mean_absolute_error(truth, value),
        "r2": metrics.r2_score(truth, value),
        "mape": metrics.mean_absolute_percentage_error(truth, value),
        "rows": float(len(rows)),
    }


def fairness(all_rows: Sequence[Sent], joined: Sequence[Sent], groups: Any) -> dict[str, float]:
    """Return fairlearn's numbers: of all predictions, and of those with an outcome."""

    def of(rows: Sequence[Sent]) -> dict[str, Any]:
        return {
            "y_true": [row.truth == HIGH for row in rows],
            "y_pred": [row.prediction["label"] == HIGH for row in rows],
            "sensitive_features": [groups(row) for row in rows],
        }

    return {
        "mlmon_demographic_parity_difference": fair.demographic_parity_difference(**of(all_rows)),
        "mlmon_demographic_parity_ratio": fair.demographic_parity_ratio(**of(all_rows)),
        "mlmon_equal_opportunity_difference": fair.equal_opportunity_difference(**of(joined)),
        "mlmon_equalized_odds_difference": fair.equalized_odds_difference(**of(joined)),
    }


@pytest.mark.parametrize("workers", [1, 4])
def test_every_number_is_that_of_the_joined_rows(workers: int, host: Host, tmp_path: Path) -> None:
    rng, state, began = random.Random(workers), tmp_path / "state", time.time()
    with serving(host.folder, state, workers, began) as url:
        income = predict(url, "income", host.income)
        bike = predict(url, "bike", host.bike)
        wait_until(lambda: waiting(url) == 4600.0, what="all predictions put away")
        records, arrived = feedback({**income, **bike}, rng)
        sums = post_over_a_day(url, records)
        extra = len(arrived) // 20
        assert sums == {
            "matched": len(arrived),
            "duplicate": extra,
            "unknown": extra,
            "late": 0,
            "invalid": 0,
        }
        expected = wanted(income, bike, arrived)
        compare(scrape(url), expected)
        for process in processes(url, workers):
            os.kill(process, signal.SIGKILL)
    with serving(host.folder, state, workers, began) as url:
        compare(scrape(url), expected)
        again = client.post(f"{url}/ground-truth", json=records[:200], headers=WRITER).json()
        assert (again["matched"], again["invalid"]) == (0, 0)


def processes(url: str, workers: int) -> set[int]:
    """Return the process of each worker."""
    found: set[int] = set()

    def are_all() -> bool:
        found.add(client.get(f"{url}/process").json())
        return len(found) == workers

    wait_until(are_all, what="every worker answered")
    return found


def waiting(url: str) -> float:
    """Return how many predictions wait."""
    return sum(v for key, v in scrape(url).items() if key[0] == "mlmon_pending_predictions")


def wanted(
    income: Mapping[str, Sent], bike: Mapping[str, Sent], arrived: set[str]
) -> dict[tuple[str, ...], float]:
    """Return all numbers of both models, overall and by segment, as `scrape` does."""
    incomes = [row for name, row in income.items() if name in arrived]
    rentals = [row for name, row in bike.items() if name in arrived]
    found = qualities(classification(incomes), "income", "", "")
    found |= qualities(regression(rentals), "bike", "", "")
    for sex in ("Female", "Male"):
        rows = [row for row in incomes if row.row["sex"] == sex]
        found |= qualities(classification(rows), "income", "sex", sex)
    for day in (0, 1):
        rows = [row for row in rentals if row.row["workingday"] == day]
        found |= qualities(regression(rows), "bike", "workingday", str(day))
    for feature, group in (
        ("sex", lambda row: row.row["sex"]),
        ("age", lambda row: int(np.searchsorted(AGES, row.row["age"], side="right"))),
    ):
        for name, value in fairness([*income.values()], incomes, group).items():
            found[name, "income", feature, ""] = value
    return found


def qualities(of: Mapping[str, float], *labels: str) -> dict[tuple[str, ...], float]:
    """Return the quality of one slice."""
    return {(f"mlmon_quality_{name}", *labels): value for name, value in of.items()}


def compare(seen: Mapping[tuple[str, ...], float], expected: Mapping[tuple[str, ...], Any]) -> None:
    """Compare all numbers."""
    for key, value in expected.items():
        exact = 0.002 if key[0] == "mlmon_quality_roc_auc" else 1e-9
        assert seen[key] == pytest.approx(value, abs=exact, rel=exact), key
