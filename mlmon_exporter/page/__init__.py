"""The exporter's own page, its report, and its pictures for notebooks.

Readings and pictures -> view (what is shown) -> HTML. No JavaScript, nothing from outside.
"""
