from __future__ import annotations

from mlmon_exporter.runtime.once import Once


def test_only_the_first_call_is_the_first() -> None:
    is_first, another = Once(), Once()
    assert [is_first(), is_first(), is_first(), another()] == [True, False, False, True]
