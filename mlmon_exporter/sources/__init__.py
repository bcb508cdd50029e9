"""Sources of model calls: a folder each; what they share stands beside these."""
