from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from mlmon_exporter.cli.demo.display import delivery_text, print_page
from mlmon_exporter.cli.demo.inbox import Delivery, Inbox, Notice, inbox_app
from tests.asgi import post_all


def alert(feature: str, status: str = "firing", starts: str = "12:00") -> dict[str, Any]:
    return {
        "status": status,
        "fingerprint": feature,
        "startsAt": starts,
        "labels": {"alertname": "Drift", "model": "bike", "feature": feature},
        "annotations": {"summary": f"{feature} has drifted", "runbook_url": "Drift.md"},
    }


def notice(feature: str) -> Notice:
    return Notice("Drift", "bike", feature, f"{feature} has drifted", "Drift.md")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(iter(range(100)).__next__)


def test_a_message_is_delivered_once(inbox: Inbox) -> None:
    for _ in range(2):
        inbox.take("pager", {"alerts": [alert("temp")]})
    assert inbox.deliveries == (Delivery(0, "pager", False, [notice("temp")]),)


def test_of_a_group_only_what_is_new_is_delivered(inbox: Inbox) -> None:
    inbox.take("pager", {"alerts": [alert("temp")]})
    inbox.take("pager", {"alerts": [alert("temp"), alert("hum"), alert("atemp")]})
    assert inbox.deliveries[1].notices == [notice("atemp"), notice("hum")]


def test_an_end_and_a_new_start_are_delivered(inbox: Inbox) -> None:
    inbox.take("pager", {"alerts": [alert("temp")]})
    inbox.take("pager", {"alerts": [alert("temp", "resolved"), alert("hum")]})
    inbox.take("pager", {"alerts": [alert("temp", starts="13:00")]})
    found = [(d.is_resolved, [n.column for n in d.notices]) for d in inbox.deliveries]
    assert found == [(False, ["temp"]), (False, ["hum"]), (True, ["temp"]), (False, ["temp"])]


def test_each_receiver_gets_its_own(inbox: Inbox) -> None:
    for receiver in ("tickets", "pager"):
        inbox.take(receiver, {"alerts": [alert("temp")]})
    assert [delivery.receiver for delivery in inbox.deliveries] == ["tickets", "pager"]


def test_a_heartbeat_is_no_delivery(inbox: Inbox) -> None:
    ages = [inbox.heartbeat_age]
    inbox.take("heartbeat", {"alerts": [alert("")]})
    ages.append(inbox.heartbeat_age)
    assert ages == [None, 1.0]
    assert inbox.deliveries == ()


def test_the_app_takes_what_alertmanager_posts(inbox: Inbox) -> None:
    (answer,) = post_all(inbox_app(inbox), "/tickets", [{"alerts": [alert("temp")]}])
    assert answer.status_code == 200
    assert [delivery.receiver for delivery in inbox.deliveries] == ["tickets"]


def test_a_delivery_is_a_line() -> None:
    page = Delivery(33.4, "pager", False, [notice("atemp"), notice("temp")])
    absent = Notice("Absent", "", "", "Nothing is there", "Absent.md")
    assert delivery_text(page).plain == "  33 s  page    Drift bike: atemp, temp"
    assert delivery_text(page._replace(is_resolved=True)).plain.split("  ")[2] == "page resolved"
    mixed = Delivery(120.0, "tickets", False, [absent, notice("hum")])
    assert delivery_text(mixed).plain == " 120 s  ticket  Absent; Drift bike: hum"


def test_the_first_page_is_told_in_full() -> None:
    def told(*deliveries: Delivery) -> str:
        console = Console(width=80, file=StringIO(), record=True)
        print_page(console, deliveries)
        return console.export_text()

    ticket = Delivery(20.0, "tickets", False, [notice("hum")])
    page = Delivery(33.4, "pager", False, [notice("atemp"), notice("temp")])
    assert told(ticket).startswith("No page has arrived yet")
    assert told(ticket, page, page._replace(at=50.0)) == (
        "Paged after 33 s: atemp has drifted (and temp).\nIts runbook: Drift.md\n"
    )
