"""The demo: real models on real data, with the drift that really happened."""
