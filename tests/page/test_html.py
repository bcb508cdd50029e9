from __future__ import annotations

from mlmon_exporter.page.html import Html, element, text


def test_text_is_escaped_in_content_and_attributes() -> None:
    shown = element("p", "<b> & \"'", title='"><script>')
    assert shown == ('<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt; &amp; &quot;&#x27;</p>')


def test_elements_hold_elements_and_lists_of_them_as_they_are() -> None:
    items = (element("li", i) for i in range(2))
    assert element("ul", items, None) == "<ul><li>0</li><li>1</li></ul>"


def test_markup_and_text_side_by_side_are_markup() -> None:
    both = text(element("meta"), "<")
    assert isinstance(both, Html)
    assert both == "<meta>&lt;"


def test_attributes_are_spelled_as_html_has_them() -> None:
    shown = element("a", class_="x", aria_label="y", hidden=True, open=False, href=None, width=0.5)
    assert shown == '<a class="x" aria-label="y" hidden width="0.5"></a>'


def test_an_empty_element_has_no_end() -> None:
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_joining_markup_with_text_by_hand_is_escaped_again() -> None:
    # `+` gives plain text, so that nothing becomes markup by accident.
    joined = element("b") + "<"
    assert element("p", joined) == "<p>&lt;b&gt;&lt;/b&gt;&lt;</p>"
