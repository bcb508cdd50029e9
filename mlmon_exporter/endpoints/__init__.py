"""Endpoints that the exporter serves."""
