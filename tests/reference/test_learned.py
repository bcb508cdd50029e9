"""Facts about references that were learned while serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import Body, FastAPI

from mlmon_exporter import Monitor, instrument
from tests.asgi import get, post_all
from tests.monitor.served import value


def test_without_a_reference_one_is_learned_and_then_scored(tmp_path: Path) -> None:
    state = tmp_path / "state"
    monitor = Monitor(model="m", learn_rows=1000, state_dir=str(state))
    rng = np.random.default_rng(1)
    for _ in range(10):
        assert value(monitor, "mlmon_reference_learning") == 1
        assert value(monitor, "mlmon_feature_psi", feature="x", window="1h") is None
        monitor.observe({"x": rng.normal(size=100), "c": ["a", "b"] * 50})
    assert value(monitor, "mlmon_reference_learning") == 0
    assert value(monitor, "mlmon_reference_rows") == 1000
    monitor.observe({"x": rng.normal(size=500) + 3.0, "c": ["a", "b"] * 250})
    assert value(monitor, "mlmon_feature_drifted", feature="x", window="1h") == 1
    assert value(monitor, "mlmon_feature_drifted", feature="c", window="1h") == 0
    again = Monitor(model="m", state_dir=str(state))
    assert value(again, "mlmon_reference_learning") == 0
    # Alerts tell it from one that was given, however often the server restarts.
    assert value(again, "mlmon_model_info", reference="learned") == 1
    assert value(again, "mlmon_reference_rows") == 1000


def test_what_single_requests_said_is_neither_shown_nor_kept_once_learned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return {"score": 0.5, "echo": body["email"]}

    @app.post("/login")
    def login(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
        return {"ok": bool(body)}

    instrument(app, model="m", learn_rows=300, state_dir=str(tmp_path / "state"))
    city = ["Bern"] * 40 + ["Genf"] * 9 + ["Uri"]
    post_all(
        app,
        "/predict",
        [
            {"email": f"user{i}@example.com", "note": f"patient {i}", "city": city[i % 50]}
            for i in range(225)
        ],
    )
    post_all(app, "/login", [{"password": f"hunter{i}", "pin": f"{i % 9}"} for i in range(15)])
    post_all(app, "/predict", [{"email": "a@b.c", "note": "x", "city": "Zug"}] * 100)
    text = get(app, "/metrics").text
    [file] = (tmp_path / "state").glob("*.learned-reference.json")
    for secret in ("user1", "patient", "hunter", "a@b.c"):
        assert secret not in text
        assert secret not in file.read_text()
    assert 'feature="city",kind="categorical",bin="Genf"' in text
    assert "Uri" not in text + file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert 'feature="note.words"' in text
    [told] = [r.getMessage() for r in caplog.records if "/login" in r.getMessage()]
    assert "holds what is called a password" in told
