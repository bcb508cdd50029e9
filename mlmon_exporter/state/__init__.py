"""The state that processes share on disk, and pending predictions."""
