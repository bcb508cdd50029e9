"""References: building, learning, reading, writing."""
