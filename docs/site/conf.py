"""Sphinx's settings of the documentation: the pages as they stand in the project, and the API."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

project = "mlmon-exporter"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/site/index"
include_patterns = ["*.md", "docs/**.md", "alerts/runbooks/*.md"]
html_theme = "furo"
html_title = project
html_extra_path = [str(ROOT / "docs" / "site" / "root")]
html_copy_source = False
myst_heading_anchors = 4
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
suppress_warnings = ["misc.highlighting_failure"]  # the lexer knows no colons in recorded names


def setup(app):
    """Have pictures copied that Sphinx passes over: README has HTML for two themes."""
    app.connect("build-finished", copy_pictures)


def copy_pictures(app, error):  # noqa: ARG001 - Sphinx hands it over
    """Copy them to where README has them."""
    for picture in (ROOT / "docs").glob("page*.png"):
        shutil.copy(picture, Path(app.outdir) / "docs")
