"""What the exporter costs, next to its peers in the same run: `make bench`."""
