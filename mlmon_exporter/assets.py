"""Where the bundled boards, rules and runbooks are."""

from __future__ import annotations

from pathlib import Path


def assets_root() -> Path:
    """Return the folder that holds `grafana/` and `alerts/`.

    A wheel carries both in `mlmon_exporter/_assets`; a checkout, installed editable or not, has
    them beside the package.

    Raises:
        FileNotFoundError: Neither place has them: the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for root in (package / "_assets", package.parent):
        if (root / "grafana").is_dir() and (root / "alerts").is_dir():
            return root
    raise FileNotFoundError(
        f"assets: expected grafana/ and alerts/ in {package / '_assets'} or {package.parent}, "
        "got neither; install mlmon-exporter again"
    )
