"""Facts about the demo's server."""

from __future__ import annotations

import socket

import pytest
from typer.testing import CliRunner

from mlmon_exporter.cli.demo.server import DemoError, listen
from mlmon_exporter.cli.program import program


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=f"--port: cannot serve on port {port}: "):
            listen(port)
        result = CliRunner().invoke(program(), ["demo", "--port", str(port)])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
