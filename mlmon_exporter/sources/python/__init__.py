"""Predictions made in Python without HTTP: consumers of queues, batch jobs."""
