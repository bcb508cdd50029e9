"""Ground truth: joined, counted and scored."""
