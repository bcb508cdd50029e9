"""What the README's part "In your server" says, typed as it stands there."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml

from mlmon_exporter.cli.demo import server

from .servers import free_port, program, wait_until

README = Path(__file__).parent.parent.parent / "README.md"
DATA = Path(server.__file__).parent / "data" / "bike_sharing_hour.csv.gz"
NOT_RUN = {"pip"}
"""Programs of commands that are not typed: the package is installed where the tests run."""
PREDICT = """

@app.post("/predict")
def predict(row: dict) -> dict:
    return {"predictions": [row["temp"] * 200]}
"""


def blocks(section: str, language: str) -> list[str]:
    (text,) = re.findall(rf"^## {section}$(.*?)^## ", README.read_text(), re.MULTILINE | re.DOTALL)
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def type_in(command: str, folder: Path) -> None:
    """Run each line of a block as a shell would."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in command.replace("\\\n", " ").splitlines():
        if shlex.split(line)[0] not in NOT_RUN:
            done = subprocess.run(
                line,
                shell=True,
                cwd=folder,
                env=os.environ | {"PATH": path},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, (line, done.stderr)


def training_data() -> pyarrow.Table:
    """The bike rentals of the demo as the README's `train.parquet`: hours, with a prediction."""
    with gzip.open(DATA) as file:
        table = pyarrow.csv.read_csv(file)
    hours = np.arange("2011-01-01", table.num_rows, dtype="datetime64[h]").astype("datetime64[s]")
    counts = table["cnt"].to_numpy()
    kept = table.select(["season", "temp", "hum", "cnt"])
    return kept.append_column("cnt_hat", [counts * 0.9]).append_column("ts", [hours])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    pyarrow.parquet.write_table(training_data(), folder / "train.parquet")
    for command in blocks("In your server", "sh"):
        type_in(command, folder)
    return folder


def test_the_server_of_the_readme_shows_drift_and_its_page(folder: Path) -> None:
    (code,) = blocks("In your server", "python")
    (folder / "server.py").write_text(code + PREDICT)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["env", "-C", str(folder), sys.executable, "-m", "uvicorn", "server:app"]
    environment = [f"--port={port}", "--log-level=error"]
    row = {"season": 1, "temp": 0.9, "hum": 50}  # a percentage, where the reference has shares
    with (
        program(
            [*command, *environment],
            lambda: httpx.get(f"{url}/metrics").status_code == 200,
            folder / "server.log",
        ),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        for _ in range(120):
            assert client.post("/predict", json=row).status_code == 200
        drifted = re.compile(r'mlmon_feature_drifted\{.*feature="hum".*\} 1\.0$', re.MULTILINE)
        wait_until(lambda: drifted.search(client.get("/metrics").text), what="hum drifted")
        page = client.get("/mlmon")
    assert page.status_code == 200
    assert "hum" in page.text


def test_the_assets_and_the_scrape_configuration_are_whole(folder: Path) -> None:
    written = folder / "monitoring"
    assert sorted(path.name for path in (written / "alerts").iterdir())
    assert list((written / "grafana").rglob("*.json"))
    (config,) = blocks("In your server", "yaml")
    (job,) = yaml.safe_load(config)["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["localhost:8000"]}]
