"""Calls of a server that takes no middleware: a relay in front of it that listens."""
