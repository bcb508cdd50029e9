"""Requests that carry the token, and others."""

from __future__ import annotations

import base64

import pytest
from starlette.requests import Request

from mlmon_exporter.endpoints.auth import is_authorized

TOKEN = "s3cret-token"


def asks(header: str | None) -> Request:
    headers = [] if header is None else [(b"authorization", header.encode("latin-1"))]
    return Request({"type": "http", "headers": headers})


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize("header", [None, "", "Bearer x", basic("x")])
def test_without_a_token_every_request_is_admitted(header: str | None) -> None:
    assert is_authorized(asks(header), ())


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_the_bearer_of_the_token_is_admitted(header: str) -> None:
    assert is_authorized(asks(header), [TOKEN])
    assert is_authorized(asks(header), [TOKEN], by_password=True)


def test_the_token_is_a_password_only_where_browsers_ask() -> None:
    assert is_authorized(asks(basic(TOKEN)), [TOKEN], by_password=True)
    assert not is_authorized(asks(basic(TOKEN)), [TOKEN])


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer s3cret-tok\xe9n", f"Token {TOKEN}",
     TOKEN, basic(""), basic("wrong"), "Basic", "Basic !", "Basic w6Q=", f"Basic {TOKEN}"],
)  # fmt: skip
@pytest.mark.parametrize("by_password", [False, True])
def test_any_other_request_is_not(header: str | None, by_password: bool) -> None:
    assert not is_authorized(asks(header), [TOKEN], by_password=by_password)


@pytest.mark.parametrize("by_password", [False, True])
def test_while_a_token_changes_the_old_and_the_new_one_are_admitted(by_password: bool) -> None:
    both = ["old-token", "new-token"]
    for token in both:
        header = basic(token) if by_password else f"Bearer {token}"
        assert is_authorized(asks(header), both, by_password=by_password)
    for other in ("old-token,new-token", "older-token", ""):
        header = basic(other) if by_password else f"Bearer {other}"
        assert not is_authorized(asks(header), both, by_password=by_password)
