"""The exporter's own page, and its report.

Readings and summaries -> view -> HTML. No JavaScript, nothing from outside.
"""
