"""The table of metrics, and the forms in which they go out."""
