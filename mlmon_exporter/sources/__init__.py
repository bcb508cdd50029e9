"""Where calls of a model come from."""
