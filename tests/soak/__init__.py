"""Long simulations: `make soak`."""
