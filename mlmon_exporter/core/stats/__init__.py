"""Scores, their distribution under chance, and digests."""
