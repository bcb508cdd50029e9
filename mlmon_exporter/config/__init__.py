"""Configuration: keys, and how each value is read."""
