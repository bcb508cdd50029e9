"""Facts about the alerts of the page."""

from __future__ import annotations

import re

from mlmon_exporter.page.view import View

from .outcomes_served import CREDIT, RENTALS
from .shown import champion, page, text_of


def test_what_chance_does_not_explain_is_firing(shown: View, calm: View) -> None:
    assert champion(shown).quality("accuracy", "24h").is_worse
    assert champion(shown).quality("log_loss", "1h").is_worse
    text = page(shown)
    assert "Quality is worse than chance explains" in text
    firing = text_of(re.findall(r'<section class="firing".*?</section>', text, re.DOTALL)[0])
    assert re.search(r"Quality\s+of\s+credit\s+1\s+in 24h: Accuracy 0\.7\d+ under 0\.7", firing)
    assert re.search(r"Log loss 0\.5\d+ over 0\.5", firing)
    assert RENTALS not in firing


def test_nothing_fires_while_quality_is_that_of_the_reference(calm: View) -> None:
    text = page(calm)
    assert "Nothing has drifted" in text
    assert 'class="firing"' not in text
    assert 'class="over-text"' not in page(calm, model=CREDIT)
