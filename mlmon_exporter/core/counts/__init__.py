"""Counts of requests, feedback and ourselves."""
