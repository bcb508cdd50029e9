"""No text that somebody wrote and no secret is shown, logged or stored, whichever way it came."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlmon_exporter import ConfigError, Monitor, Reference
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import FORMATS, BodyMap, FormatError, parse
from mlmon_exporter.runtime.pace import Pace
from tests.intake.waiting import waiting

from .asgi import get
from .formats.bodies import Body, exchange, read_all

pytestmark = pytest.mark.slow

MARKER = "MARKER Jane Roe was born on 1 April 1980"
SECRET = "hunter2MARKER"
SECRETS: dict[str, Any] = {"password": SECRET, "user": {"api_key": SECRET, "refreshToken": SECRET}}
STRUCTURE = frozenset(
    """datatype name names columns ColumnNames content_type role type object model model_name
    model_version signature_name id index finish_reason specversion source puid method
    jsonrpc""".split()
)
"""Keys whose texts are not a person's: they say what the others are."""
FORM = {"content-type": "application/x-www-form-urlencoded"}
EVENTS = {"content-type": "text/event-stream"}
LINES = {"content-type": "application/x-ndjson"}
CSV = {"content-type": "text/csv"}
GENERATED = json.dumps([{"generated_text": MARKER}]).encode()


def events(*values: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(value).encode() for value in values)


def asked(
    answer: bytes = GENERATED, media: Mapping[str, str] | None = None, **body: Any
) -> Exchange:
    return exchange(json.dumps(body).encode(), answer, path="/generate", response_headers=media)


TEXT_IO: dict[str, Exchange] = {
    "tgi": asked(inputs=MARKER, parameters={"max_new_tokens": 20}),
    "tgi_streamed": asked(
        events({"token": {"text": MARKER}, "generated_text": MARKER}), EVENTS, inputs=MARKER
    ),
    "triton": asked(b'{"text_output": "%s"}' % MARKER.encode(), text_input=MARKER),
    "triton_streamed": asked(
        events({"text_output": MARKER[:9]}, {"text_output": MARKER[9:]}), EVENTS, text_input=MARKER
    ),
    "pipeline": asked(inputs={"question": MARKER, "context": MARKER}),
    "batch_of_texts": asked(json.dumps([MARKER, MARKER]).encode(), inputs=[MARKER, MARKER]),
    "prompt": asked(prompt=MARKER),
    "nested": asked(payload={"deep": {"q": MARKER}}, a=1),
    "bare": exchange(json.dumps(MARKER).encode(), json.dumps(MARKER).encode()),
    "bare_events": asked(MARKER.encode(), EVENTS, x=MARKER),
    "lines": asked(b'{"a": "%s"}\n' % MARKER.encode() * 2, LINES, x=[MARKER] * 2),
    "form": exchange(f"a=1&q={MARKER}".encode(), GENERATED, request_headers=FORM),
    "csv": exchange(f"1,{MARKER}\n2,{MARKER}".encode(), b"0.1\n0.2", request_headers=CSV),
    "as_a_version": asked(json.dumps({"score": 1, "model_version": MARKER}).encode(), a=1, b=2),
    "as_an_error": exchange(json.dumps({"a": MARKER}).encode(), MARKER.encode()),
    "not_json": exchange(MARKER.encode(), MARKER.encode()),
    "graphql": asked(query="{ user }", variables={"name": MARKER}),
    "secrets": asked(a=1, b=2, **SECRETS),
    "secret_answer": asked(json.dumps(SECRETS).encode(), a=1, b=2),
}


def marked(value: Any) -> Any:
    """Return a JSON value with the marker for every text that a person may have written."""
    if isinstance(value, dict):
        return {k: v if k in STRUCTURE else marked(v) for k, v in value.items()}
    if isinstance(value, list):
        return [marked(item) for item in value]
    return MARKER if isinstance(value, str) and value else value


def marked_body(chunks: Iterable[bytes]) -> bytes:
    content = b"".join(chunks)
    try:
        return json.dumps(marked(json.loads(content))).encode()
    except ValueError:
        lines = content.split(b"\n")
        return b"\n".join(b"data: " + marked_body([x[6:]]) if _is_event(x) else x for x in lines)


def _is_event(line: bytes) -> bool:
    return line.startswith(b"data: {")


def of_format(name: str) -> list[tuple[Exchange, BodyMap]]:
    bodies: list[Body] = [body for body in read_all() if body.format == name]
    return [
        (
            body.exchange._replace(
                request_chunks=[marked_body(body.exchange.request_chunks)],
                response_chunks=[marked_body(body.exchange.response_chunks)],
            ),
            body.body_map,
        )
        for body in bodies
    ]


SENT = {row.name: of_format(row.name) for row in FORMATS} | {
    name: [(sent, BodyMap())] for name, sent in TEXT_IO.items()
}


def check_nothing_said(monitor: Monitor, state: Path, log: str) -> None:
    said = [log, monitor.report(), repr(monitor.readings())]
    apps = (monitor.metrics_app(), monitor.page_app())
    said += [get(app, "/").text for app in apps]
    monitor.close()
    said += [path.read_bytes().decode("latin-1") for path in state.rglob("*") if path.is_file()]
    for text in said:
        assert "MARKER" not in text
        assert "Jane Roe" not in text


@pytest.mark.parametrize("routes", [[], ["/r"]], ids=["without_routes", "with_routes"])
@pytest.mark.parametrize("name", SENT)
def test_no_text_is_learned(
    name: str, routes: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for i, (sent, _) in enumerate(SENT[name]):
        state = tmp_path / str(i)
        monitor = Monitor(model="m", routes=routes, learn_rows=20, state_dir=state)
        for _ in range(30):
            monitor._consumer(waiting([sent._replace(route="/r", model="m")]), Pace())
        check_nothing_said(monitor, state, caplog.text)


@pytest.mark.parametrize("name", SENT)
def test_no_text_of_a_reference_is_shown_or_kept(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for i, (sent, names) in enumerate(SENT[name]):
        folder = tmp_path / str(i)
        folder.mkdir()
        try:
            batch = parse(sent, names).batch
        except FormatError:
            continue
        features, outputs = _rows(batch.features, batch.rows), _rows(batch.predictions, batch.rows)
        own = [output for output in outputs if output not in features]
        data = {
            **features,
            **{output: outputs[output] for output in own},
            "n": [1.0] * 20 * batch.rows,
        }
        Reference.build(data, predictions=own).save(folder / "reference.json")
        monitor = _monitor(folder)
        for _ in range(5):
            monitor._consumer(waiting([sent._replace(route="/r", model="m")]), Pace())
        check_nothing_said(monitor, folder, caplog.text)


def _monitor(folder: Path) -> Monitor:
    """Return a monitor that also keeps predictions for their ground truth, where it can."""
    options = {"model": "m", "reference": folder / "reference.json", "state_dir": folder}
    try:
        return Monitor(**options, task="classification")  # type: ignore[arg-type]
    except ConfigError:  # none of the outputs can be a class
        return Monitor(**options)  # type: ignore[arg-type]


def test_a_short_value_that_recurs_is_shown(tmp_path: Path) -> None:
    monitor = Monitor(model="m", learn_rows=20, state_dir=tmp_path)
    for _ in range(30):
        sent = asked(a="MARKER", b=1)._replace(route="/r", model="m")
        monitor._consumer(waiting([sent]), Pace())
    with pytest.raises(AssertionError, match="MARKER"):
        check_nothing_said(monitor, tmp_path, "")


def _rows(columns: Mapping[str, Any], rows: int) -> dict[str, list[Any]]:
    return {
        name: [values] * 20 if rows == 1 else [*values] * 20 for name, values in columns.items()
    }
