"""Facts about the style sheet."""

from __future__ import annotations

import base64
import hashlib
import re

from tests.asgi import get
from tests.page.opened import served


def test_the_policy_lets_in_the_style_sheet_of_the_page_and_nothing_else() -> None:
    response = get(served(), "/mlmon")
    (style,) = re.findall("<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert response.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    assert " style=" not in response.text
    assert "<script" not in response.text
