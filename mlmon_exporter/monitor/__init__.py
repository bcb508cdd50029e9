"""The monitor, and the ways to put it around an app."""
