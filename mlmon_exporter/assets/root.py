"""The folder of the files that come with the package."""

from __future__ import annotations

from pathlib import Path


def assets_root() -> Path:
    """Return the folder that holds `grafana/`, `alerts/` and `docs/`.

    A wheel carries them in `mlmon_exporter/assets/files`; a checkout, installed editable or
    not, has them beside the package.

    Raises:
        FileNotFoundError: Neither place has them: the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for root in (package / "files", package.parents[1]):
        if (root / "grafana").is_dir() and (root / "alerts").is_dir():
            return root
    raise FileNotFoundError(
        f"assets: expected grafana/ and alerts/ in {package / 'files'} or {package.parents[1]}, "
        "got neither; install mlmon-exporter again"
    )
