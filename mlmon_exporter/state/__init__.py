"""What processes share on disk, and predictions that wait for their outcome."""
