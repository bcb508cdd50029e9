"""Versions of a model: what each counts, and which are admitted."""
