"""Code that makes the Grafana boards; it needs the extra `boards`, and is not installed."""
