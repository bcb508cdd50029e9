"""Requests of the commands to servers of the user's."""

from __future__ import annotations

import urllib.error
import urllib.request

from .terminal import UserError

TIMEOUT_SECONDS = 30.0


def answer(option: str, url: str, body: bytes | None = None, *, token: str = "") -> bytes:
    """Return what a URL answers to a GET, or to a POST of a JSON body.

    Args:
        option: The option that the URL came from, for errors.
        url: Its address.
        body: JSON; None to GET.
        token: Sent as a bearer token, unless empty.

    Raises:
        UserError: It is no URL, nobody is there, or the status is not 2xx.
    """
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{option}: expected http:// or https://, got {url!r}")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - http was checked
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            found: bytes = response.read()
    except urllib.error.HTTPError as error:
        said = error.read(500).decode("utf-8", "replace").strip().splitlines()
        about = f": {said[0]}" if said and not said[0].startswith("<") else ""
        raise UserError(f"{option}: {url} answered {error.code} {error.reason}{about}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{option}: {url}: {getattr(error, 'reason', error)}") from error
    return found
