"""Rows of a window: bin counts and digests."""
