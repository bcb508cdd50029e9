"""Code that makes the rule files under `alerts/`; the served model's process never imports it."""
