"""Columns of a reference."""
