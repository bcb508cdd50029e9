"""OpenAPI description of the exporter's own server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from mlmon_exporter import __version__
from mlmon_exporter.core.counts.feedback import STATUSES
from mlmon_exporter.endpoints.desk import GROUND_TRUTH_PATH, KPI_PATH
from mlmon_exporter.endpoints.records import MOST_RECORDS, GroundTruthRecord, KpiRecord
from mlmon_exporter.sources.events.event import MOST_CHARACTERS

Form = dict[str, Any]

BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
TEXT: Form = {"type": "string"}
COUNT: Form = {"type": "integer", "minimum": 0}


def openapi(
    paths: Collection[str], with_metrics_token: bool, events_path: str | None = None
) -> Form:
    """Describe a server.

    Args:
        paths: The paths that take ground truths and KPIs; none without a token for writers.
        with_metrics_token: Whether a scrape needs a token.
        events_path: The path that takes CloudEvents, if there is one.
    """
    described = {
        "/metrics": {"get": _metrics(with_metrics_token)},
        "/healthz": {"get": _healthz()},
        GROUND_TRUTH_PATH: {"post": _writing("ground truths", GroundTruthRecord, STATUSES)},
        KPI_PATH: {"post": _writing("events of business numbers", KpiRecord, ("counted",))},
    }
    if events_path is not None:
        described[events_path] = {"post": _events()}
    wanted = {"/metrics", "/healthz", *paths, events_path}
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mlmon-exporter", "version": __version__},
        "paths": {path: form for path, form in described.items() if path in wanted},
        "components": {"securitySchemes": {"metricsToken": bearer, "token": bearer}},
    }


def _metrics(with_token: bool) -> Form:
    text = {"schema": TEXT}
    media = {"text/plain": text, "application/openmetrics-text": text}
    operation: Form = {
        "summary": "All numbers, for Prometheus",
        "responses": {"200": {"description": "The numbers", "content": media}},
    }
    if with_token:
        operation["security"] = [{"metricsToken": []}]
        operation["responses"]["401"] = _plain("The token is missing or wrong")
    return operation


def _plain(description: str) -> Form:
    return {"description": description, "content": {"text/plain": {"schema": TEXT}}}


def _healthz() -> Form:
    moment: Form = {"type": "number"}
    state = _object({"where": TEXT, "reason": TEXT, "since": moment}, ("where", "reason", "since"))
    status = {"enum": ["ok", "state not written"]}
    form = {"status": status, "time": moment, "state": state}
    health = _object(form, ("status", "time"))
    return {"summary": "Health of the server", "responses": {"200": _json("It runs", health)}}


def _events() -> Form:
    """Describe the address that takes CloudEvents; the token may also stand in its path."""
    text: Form = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
    attributes = ("specversion", "type", "source", "id")
    told = ("inferenceservicename", "namespace", "component", "endpoint", "requestid", "modelid")
    event = _object(dict.fromkeys((*attributes, *told), text), attributes)
    event["properties"]["data_base64"] = {
        "type": "string",
        "contentEncoding": "base64",
        "pattern": BASE64,
    }
    refusal = _object({"error": TEXT}, ("error",))
    content = {
        "application/cloudevents+json": {"schema": event},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "items": event}},
    }
    return {
        "summary": "Take CloudEvents of requests and responses",
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "Taken"},
            "400": _json("Nothing was taken: no CloudEvents", refusal),
            "401": _json("The token is missing or wrong", refusal),
            "413": _json("Nothing was taken: too much at once", refusal),
        },
    }


def _writing(what: str, model: type[BaseModel], counts: Collection[str]) -> Form:
    """Describe an address that takes one record, a list, or one a line."""
    record = model.model_json_schema()
    fault = _object({"index": COUNT, "reason": TEXT}, ("index", "reason"))
    answer = {
        **dict.fromkeys((*counts, "invalid"), COUNT),
        "errors": {"type": "array", "items": fault},
    }
    refusal = _object({"error": TEXT}, ("error",))
    records = {"type": "array", "items": record, "maxItems": MOST_RECORDS}
    body = {"application/json": {"schema": {"oneOf": [record, records]}}}
    return {
        "summary": f"Take {what}",
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": _json("Taken; `errors` has the first invalid ones", _object(answer, answer)),
            "400": _json("Nothing was taken: not JSON", refusal),
            "401": _json("The token is missing or wrong", refusal),
            "413": _json("Nothing was taken: too much at once", refusal),
            "503": _json("Nothing was taken: send it again", refusal),
        },
    }


def _object(properties: Form, required: Collection[str]) -> Form:
    return {"type": "object", "properties": properties, "required": [*required]}


def _json(description: str, schema: Form) -> Form:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
