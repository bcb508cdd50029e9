"""Facts about the data files of commands."""

from __future__ import annotations

from mlmon_exporter.cli.commands.data_files import names


def test_names_are_listed_with_commas() -> None:
    assert names(" a, b,,a ,c") == ("a", "b", "c")
