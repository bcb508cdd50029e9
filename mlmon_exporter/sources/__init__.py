"""Sources of model calls."""
