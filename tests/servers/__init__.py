"""Model servers that we did not write, with us around them: `make servers`."""
