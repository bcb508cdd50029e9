"""Facts about the document of a page."""

from __future__ import annotations

from tests.asgi import get
from tests.page.opened import served


def test_the_page_refreshes_itself_unless_it_is_paused() -> None:
    app = served()
    assert get(app, "/mlmon").headers["refresh"] == "15"
    assert "refresh" not in get(app, "/mlmon?paused=1").headers
