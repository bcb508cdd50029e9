"""Readers of data files and frames."""
