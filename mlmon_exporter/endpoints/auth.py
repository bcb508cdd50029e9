"""Authorization of requests: a token, as a bearer or as a browser's password."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Collection

from starlette.requests import Request

BEARER = "Bearer"
BASIC_OR_BEARER = 'Basic realm="mlmon", charset="UTF-8", Bearer'
"""Challenges for `WWW-Authenticate`; browsers ask for a password only at the second."""


def is_authorized(request: Request, tokens: Collection[str], *, by_password: bool = False) -> bool:
    """Return whether a request carries one of the tokens, compared in constant time.

    Args:
        request: Its header `Authorization` is looked at.
        tokens: None at all admit every request.
        by_password: Accept a token as the password of Basic authentication, too; the user's
            name does not matter.
    """
    if not tokens:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    secret = given.strip().encode("utf-8", "replace")
    if by_password and scheme.lower() == "basic":
        secret = _password(secret)
    elif scheme.lower() != "bearer":
        return False
    return is_token(secret, tokens)


def is_token(secret: bytes, tokens: Collection[str]) -> bool:
    """Return whether a text is one of the tokens, compared in constant time."""
    # A sum, so that each is compared, whichever is equal.
    return sum(hmac.compare_digest(secret, token.encode()) for token in tokens) > 0


def _password(given: bytes) -> bytes:
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
