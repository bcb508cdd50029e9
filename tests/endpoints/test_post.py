"""Facts about paths that take bodies by POST: who may, how much, and what errors become."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mlmon_exporter.endpoints.post import MOST_BYTES, PostApp
from mlmon_exporter.endpoints.records import RefusedError
from mlmon_exporter.formats import FormatError
from tests.asgi import client, run

GOOD = {"authorization": "Bearer new"}


class Echo(PostApp):
    """Answers with the body; raises an error where there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(["old", "new"])
        self._error = error

    async def answer(self, request: Request, body: bytes) -> Response:
        if self._error is not None:
            raise self._error
        return PlainTextResponse(body)


def send(
    app: Echo, body: bytes = b"a", headers: Mapping[str, str] = GOOD, method: str = "POST"
) -> httpx.Response:
    async def call() -> httpx.Response:
        async with client(app) as http:
            return await http.request(method, "/", content=body, headers=dict(headers))

    return run(call())


@pytest.mark.parametrize("token", ["old", "new"])
def test_a_body_with_a_token_is_answered(token: str) -> None:
    answer = send(Echo(), b"body", {"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.content) == (200, b"body")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer other"}])
def test_without_a_token_nothing_is_answered(headers: dict[str, str]) -> None:
    answer = send(Echo(), headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_other_methods_are_told_the_right_one() -> None:
    answer = send(Echo(), method="PUT")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_body_over_the_limit_is_refused() -> None:
    assert send(Echo(), b" " * MOST_BYTES).status_code == 200
    assert send(Echo(), b" " * (MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError(422, "no"), 422),
        (FormatError("not_json", "no"), 400),
        (FormatError("compressed_too_large", "no"), 413),
    ],
)
def test_an_error_has_its_status_and_says_what_is_wrong(error: Exception, status: int) -> None:
    answer = send(Echo(error))
    assert (answer.status_code, answer.json()) == (status, {"error": "no"})
