"""What several workers cannot share is said at start; tests/e2e/test_proxy.py runs the proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter.cli.proxy import Ports, run
from mlmon_exporter.config.keys import Config, ConfigError
from mlmon_exporter.sources.proxy.address import Address

UPSTREAM, METRICS = Address("127.0.0.1", 9), Address("127.0.0.1", 9464)


def started(config: Config, address: Address) -> str:
    """Return why two workers are not started."""
    with pytest.raises(ConfigError) as caught:
        run(config, Ports(UPSTREAM, address, METRICS), 2, lambda line: None)
    return str(caught.value)


def test_several_workers_need_a_state_and_a_port(tmp_path: Path) -> None:
    alone, sharing = Config(), Config(state_dir=tmp_path)
    assert started(alone, Address("127.0.0.1", 8080)).startswith("state_dir: expected the folder")
    text = "--port: expected a TCP port that workers can share, got "
    assert started(sharing, Address("127.0.0.1", 0)) == f"{text}0"
    assert started(sharing, Address(path=Path("/run/m.sock"))) == f"{text}/run/m.sock"
