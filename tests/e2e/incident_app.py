"""A model server of its own process, which fails when it is asked to; see `pager.app_of`."""

from __future__ import annotations

import os

from .pager import app_of

app = app_of(os.environ["REFERENCE"], os.environ["MODEL"])
