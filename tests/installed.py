"""What a user has after `pip install` of the wheel alone: run by that environment's Python.

Prints the size of what was installed; exits with 1 if it is over 100 MB or does not work.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

MOST_MEGABYTES = 100
OF_THE_ENVIRONMENT = {"pip", "setuptools", "pkg_resources"}
BODY = b'{"instances": [{"x": 1.0}, {"x": 2.0}]}'


def installed_megabytes() -> float:
    """Return the megabytes of what came with the wheel, compiled files included."""
    folder = Path(sysconfig.get_path("purelib"))
    files = (file for file in folder.rglob("*") if file.is_file())
    return (
        sum(
            f.stat().st_size
            for f in files
            if f.relative_to(folder).parts[0] not in OF_THE_ENVIRONMENT
        )
        / 1e6
    )


def asked(app: Any, method: str, path: str, body: bytes = b"") -> bytes:
    """Return the answer's body."""
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    headers = [(b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": headers,
        "query_string": b"",
    }
    asyncio.run(app(scope, receive, send))
    return b"".join(parts)


def main() -> None:
    """Serve two rows, scrape them, and write the rules and boards."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from mlmon_exporter import instrument

    async def predict(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({"predictions": [3.0, 4.0]})

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    instrument(app, model="m", page_path="/mlmon")
    assert asked(app, "POST", "/predict", BODY) == b'{"predictions":[3.0,4.0]}'
    text = asked(app, "GET", "/metrics").decode()
    assert 'mlmon_prediction_rows_total{model="m",version=""} 2' in text, text
    assert b"<!doctype html>" in asked(app, "GET", "/mlmon").lower()
    program = Path(sys.executable).parent / "mlmon-exporter"
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    print(f"mlmon-exporter --help, without its extra: {told.stderr or told.stdout}".strip())
    # The docs say so of every extra: what is installed need not be published.
    extra = "mlmon-exporter[msgpack]"
    offline = ["--no-index", "--no-deps", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *offline, extra], check=True)
    megabytes = installed_megabytes()
    print(f"installed: {megabytes:.0f} MB")
    sys.exit(megabytes > MOST_MEGABYTES)


if __name__ == "__main__":
    main()
