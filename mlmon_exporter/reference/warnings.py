"""Warnings: weaknesses of a reference to look at before relying on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mlmon_exporter.config.keys import Duration
from mlmon_exporter.core.profile.categories import MOST_NAMED
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.free_text import input_names, is_secret, sources
from mlmon_exporter.core.profile.variation import LEAST_ROWS
from mlmon_exporter.formats.parquet import is_index

from .data.files import Column, DataFiles
from .reference import Reference
from .roles import Roles

FEW_ROWS = 1000
NEARLY_ALL = 0.999
NUMBER_SHARE = 0.8
UNCLEAR = ("?", "NA", "N/A", "null", "None", "nan", "-", "unknown")
_DECIMAL_COMMA = re.compile(r"-?[0-9]{1,3}(?:\.?[0-9]{3})*,[0-9]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def reference_warnings(reference: Reference) -> Iterator[str]:
    """Say what makes a reference weak, one line a thing."""
    if reference.rows < FEW_ROWS:
        yield (
            f"{reference.rows} rows are few: thresholds are high, only large drift is seen; "
            f"{FEW_ROWS} or more are better"
        )
    empty = [c.name for c in (*reference.features, *reference.outputs) if c.missing == c.rows]
    if empty:
        yield f"all rows are missing in {_listed(empty)}: any value there is drift"
    grow = [column.name for column in reference.features if column.looks]
    if grow:
        yield f"numbers that seem to be ids or times in {_listed(grow)}: new ones are drift"
    commas = [column.name for column in reference.features if _has_decimal_commas(column)]
    if commas:
        yield (
            f"decimal commas in {_listed(commas)}, so they are text: write numbers with a point, "
            "as requests have them"
        )
    same = [column.name for column in reference.features if _is_nearly_constant(column)]
    if same:
        yield f"nearly all rows have one value in {_listed(same)}: any other is drift"
    if not reference.outputs:
        yield "no prediction column: the model's output is not watched; name it with --prediction"
    ids = [c.name for c in reference.features if len(c.rows_by_category) >= MOST_NAMED]
    texts = sources(column.name for column in reference.features)
    if texts:
        yield (
            f"texts that are long or hardly recur in {_listed([*texts])}: free text, an id or a "
            "time? Their characters and words are counted; leave out with --ignore what says "
            "nothing"
        )
    if ids:
        yield (
            f"{MOST_NAMED} categories or more in {_listed(ids)}: "
            "an id or a time? Leave it out with --ignore"
        )


def time_warnings(reference: Reference, windows: Sequence[Duration]) -> Iterator[str]:
    """Say which dependence of rows in time thresholds do not know, one line a thing."""
    if not reference.for_model("").knows_time:
        yield (
            "when rows were seen is not known, so thresholds take rows for independent, and alerts "
            "on drift and quality are silent, until nine days of live traffic have shown how "
            "nights, days and neighbours differ. Name the column with the times with "
            "--time-column, in data of 14 days or more, to have them from the first hour on, and "
            "to see what live traffic hides: where weekends differ by a standard deviation, a "
            "shift of as much is not seen in twelve days, and with times in two"
        )
        if reference.outcomes is not None:
            yield (
                f"those on quality count days alone that have {LEAST_ROWS} outcomes or more: with "
                "fewer they never come"
            )
    columns = (*reference.features, *reference.outputs)
    measured = {seconds for column in columns for seconds in column.variation}
    others = [window.label for window in windows if window.seconds not in measured]
    if measured and others:
        labels = ",".join(window.label for window in windows)
        yield (
            f"what unchanged time brings was not measured in windows of {_listed(others)}: that "
            f"takes a reference of data that span several of them with {LEAST_ROWS} rows or more "
            f"in each, built with --windows {labels} where these are not the default"
        )


def file_warnings(files: DataFiles, roles: Roles, reference: Reference) -> Iterator[str]:
    """Say what became of columns otherwise than a user may expect, one line a thing."""
    columns = files.columns
    names = [column.name for column in (*reference.features, *reference.outputs)]
    built = {*names, *input_names(names)}
    features = roles.features_of(columns)
    wanted = [name for name in (*features, *roles.prediction) if name not in built]
    secrets = [name for name in wanted if is_secret(name)]
    if secrets:
        yield f"called as secrets are, and never read: {_listed(secrets)}"
        wanted = [name for name in wanted if name not in secrets]
    if wanted:
        yield (
            f"numbers that seem to be ids or times in {_listed(wanted)}: left out; "
            "--features keeps those that it names"
        )
    if not roles.features:
        others = [
            f"{name} ({column.type})"
            for name, column in columns.items()
            if column.kind == "other" and name not in (*roles.ignore, *roles.vector)
        ]
        if others:
            yield f"neither numbers nor texts in {_listed(others)}: left out"
        named = {*built, *roles.ground_truth, *roles.time_column, *roles.ignore}
        index = [repr(name) for name in columns if is_index(name) and name not in named]
        if index:
            yield f"pandas' index numbers the rows: {_listed(index)} left out"
    times = [column.name for column in reference.features if _is_time(column, columns)]
    if times:
        yield (
            f"times only ever grow, which is drift, as in {_listed(times)}; "
            "name them with --time-column or --ignore"
        )
    if roles.ground_truth and roles.prediction and reference.outcomes is None:
        yield (
            f"no prediction fits the ground truth {_listed([*roles.ground_truth])}: quality has "
            "nothing to compare with; say --task, and which prediction is the --label or --score"
        )
    for name, text in files.stray_texts.items():
        if text:
            yield (
                f"{name}: numbers but for {text!r}, which counts as missing; "
                f"--categorical {name} makes it categories"
            )
    yield from _unclear(reference)


def _is_time(column: ColumnReference, columns: Mapping[str, Column]) -> bool:
    """Return whether a column holds times, also those that CSV files write as texts."""
    if column.name in columns and columns[column.name].kind == "time":
        return True
    return len(column.rows_by_category) > 1 and all(
        _DATE.match(category) for category in column.rows_by_category
    )


def _unclear(reference: Reference) -> Iterator[str]:
    """Say where a text that often stands for a missing value is a category."""
    for text in UNCLEAR:
        found = [column.name for column in reference.features if text in column.rows_by_category]
        if found:
            yield (
                f"{text!r} is a category of {_listed(found)}; "
                f"if it means there is no value, add --missing '{text}'"
            )


def _has_decimal_commas(column: ColumnReference) -> bool:
    rows = column.rows_by_category
    numbers = sum(count for text, count in rows.items() if _DECIMAL_COMMA.fullmatch(text))
    return numbers > NUMBER_SHARE * sum(rows.values()) > 0


def _is_nearly_constant(column: ColumnReference) -> bool:
    """Tell a column of one value; a single category of a small reference is no news."""
    counts = column.counts[:-1]
    return (
        len(counts) > 0 and column.values >= FEW_ROWS and counts.max() >= NEARLY_ALL * counts.sum()
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
