"""`make bench ARGS=proxy` in short: both are asked, and long bodies pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import proxy


def test_the_server_and_the_proxy_before_it_are_measured(
    require_binary: Callable[[str], str], tmp_path: Path
) -> None:
    require_binary("wrk")
    with proxy.running(tmp_path) as ports:
        for port in (ports.server, ports.proxy):
            found = proxy.load(tmp_path, port, 1.0)
            assert found.rate > 0 < found.half_ms
            assert proxy.first_byte_ms(port) > 0
            proxy.long_bodies(port, 3_000_001)
        assert proxy.resident_mebibytes(ports.process) > 10
