"""An Airflow DAG that compares each day's rows with the reference of the model, before scoring.

Needs Airflow 3 and `pip install 'mlmon-exporter[cli]'` where tasks run. The task fails where a
column has drifted (exit code 1) or nothing could be judged (2), so that what comes after it does
not run; its log holds the table, and the page of the day is kept as a file.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

COMPARE = """
mlmon-exporter compare {{ params.rows }}/{{ ds }}.parquet \
    --reference {{ params.reference }} --window 24h --fail-on drift \
    --html {{ params.pages }}/{{ ds }}.html
"""

with DAG(
    "compare",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "rows": "/data/requests",
        "reference": "/models/bike-demand.reference.json",
        "pages": "/data/drift",
    },
):
    BashOperator(task_id="compare", bash_command=COMPARE)
