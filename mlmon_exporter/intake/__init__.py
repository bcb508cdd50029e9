"""From queued exchanges to columns."""
