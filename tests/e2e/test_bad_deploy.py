"""A bad deploy in a job of many services, one of them dead: real servers, rules, and a pager."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from mlmon_exporter.assets.rules import Settings

from .pager import PACED, Traffic, app_of, reference_in, watched
from .servers import free_port, serving

pytestmark = PACED
NOT_SERVED = "MlmonModelNotServed"


def test_a_bad_deploy_pages_once_while_a_neighbour_is_dead(
    tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    reference = reference_in(tmp_path)
    old, new, neighbour, dead = (free_port() for _ in range(4))
    with ExitStack() as stack:
        job = stack.enter_context(watched(tmp_path, Settings(hour_seconds=36), require_binary))
        before = stack.enter_context(ExitStack())
        dying = stack.enter_context(ExitStack())
        before.enter_context(serving(app_of(reference, "bike"), old))
        dying.enter_context(serving(app_of(reference, "tree"), dead))
        stack.enter_context(serving(app_of(reference, "calm"), neighbour))
        stack.enter_context(Traffic.to(old, neighbour, dead).flowing())
        job.scrape(old, neighbour, dead)
        job.wait_for('sum(increase(mlmon_prediction_rows_total{model="bike"}[36s])) > 1000')

        dying.close()
        job.arrives("MlmonReplicasDown", "tree")
        before.close()
        job.scrape(new, neighbour, dead)
        job.arrives(NOT_SERVED, "bike")
        stack.enter_context(serving(app_of(reference, "bike"), new))
        job.arrives(NOT_SERVED, "bike", "resolved")

    pages = [n for n in job.inbox.notices if n.receiver == "pager" and n.name == NOT_SERVED]
    assert {n.labels["model"] for n in pages} == {"bike"}
    assert len({n.started for n in pages}) == 1
