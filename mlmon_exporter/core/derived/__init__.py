"""Columns derived from a row's features: functions fitted on the reference."""
