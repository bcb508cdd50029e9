"""The demo: real models, real data, real drift."""
