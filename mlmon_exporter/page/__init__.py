"""The exporter's own page, and its report.

Readings and pictures -> view (what is shown) -> HTML. No JavaScript, nothing from outside.
"""
