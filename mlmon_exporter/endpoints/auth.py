"""Authorization of requests: one token, as a bearer or as a browser's password."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.requests import Request

BEARER = "Bearer"
BASIC_OR_BEARER = 'Basic realm="mlmon", charset="UTF-8", Bearer'
"""Challenges for `WWW-Authenticate`; browsers ask for a password only at the second."""


def is_authorized(request: Request, token: str | None, *, by_password: bool = False) -> bool:
    """Return whether a request carries the token, compared in constant time.

    Args:
        request: Its header `Authorization` is looked at.
        token: None admits every request.
        by_password: Accept the token as the password of Basic authentication, too; the user's
            name does not matter.
    """
    if token is None:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    secret = given.strip().encode("utf-8", "replace")
    if by_password and scheme.lower() == "basic":
        secret = _password(secret)
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(secret, token.encode())


def _password(given: bytes) -> bytes:
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
