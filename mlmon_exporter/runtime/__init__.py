"""Threads, forks and pace: what runs beside the requests."""
