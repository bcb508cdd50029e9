"""Addresses that servers listen at."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Address(NamedTuple):
    """A TCP address, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port`, `[v6]:port`, `port` or `unix:/path`; raises ValueError."""
        if text.startswith("unix:"):
            return cls(path=Path(text.removeprefix("unix:").removeprefix("//")))
        bare = text.removeprefix("http://").rstrip("/")
        host, _, port = bare.rpartition(":")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"expected host:port or unix:/path, got {text!r}")
        return cls(host.strip("[]") or "127.0.0.1", int(port))

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"
