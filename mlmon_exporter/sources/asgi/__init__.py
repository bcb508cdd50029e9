"""Calls of an ASGI app."""
