"""Code that makes the rule files under `alerts/`; the served model's process never imports it."""

from .rule_set import files
from .settings import DEFAULTS, Settings

__all__ = ["DEFAULTS", "Settings", "files"]
