"""Columns of Arrow data as the profiler takes them: numbers, or categories that are counted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import (
    BOOLEANS,
    NULL_SPELLINGS,
    TRUTHS,
    is_missing,
    numbers,
    times,
    usable,
)
from mlmon_exporter.core.profile.categories import MOST_NAMED, CategoryCounts
from mlmon_exporter.core.profile.names import category_name, category_number

Floats = NDArray[np.float64]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_SPELT = rf"^\s*([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|{'|'.join(TRUTHS)})\s*$"


def kind_of(type_: Any) -> str | None:
    """Return the kind of a column of an Arrow type; None where it cannot be watched.

    `numeric`, `categorical`, `time` (also numeric: seconds), or `empty`: it holds only nulls.
    """
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_null(type_):
        return "empty"
    if is_text(type_):
        return "categorical"
    if pa.types.is_temporal(type_) and not pa.types.is_interval(type_):
        return "time"
    is_number = (
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
    )
    return "numeric" if any(check(type_) for check in is_number) else None


def is_text(type_: Any) -> bool:
    """Return whether an Arrow type holds texts."""
    return any(
        check(type_)
        for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def is_list(type_: Any) -> bool:
    """Return whether an Arrow type holds lists or tensors."""
    return any(check(getattr(type_, "storage_type", type_)) for check in _LISTS)


def numbers_of(column: Any) -> Floats:
    """Return a column of any kind but `categorical` as numbers: times in seconds, null as NaN."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_temporal(column.type):
        return _seconds(column)
    if column.type != pa.float64():
        column = pc.cast(column, pa.float64(), safe=False)
    # Without nulls this is a view; else a copy with NaN in their place.
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def lists_of(values: list[Any]) -> Any:
    """Return lists of numbers, null where there is none: vectors."""
    found = []
    for value in values:
        is_list = type(value) is list and {*map(type, value)} <= {int, float}
        found.append(value if is_list else None)
    return pa.array(found, pa.list_(pa.float64()))


def vectors_of(column: Any) -> list[Any]:
    """Return a column of lists or tensors as one array a row, None where it is null.

    What is neither is null.
    """
    found: list[Any] = []
    for chunk in column.chunks:
        storage = getattr(chunk, "storage", chunk)
        if not is_list(storage.type):
            found += [None] * len(storage)
            continue
        values = storage.flatten()
        while is_list(values.type):
            values = values.flatten()
        numbers = numbers_of(values) if kind_of(values.type) else np.empty(0)
        per_row = pc.list_value_length(storage).fill_null(0).to_numpy(zero_copy_only=False)
        total = int(per_row.sum())
        scale = len(numbers) // total if total else 1
        ends = np.cumsum(per_row) * scale
        parts = np.split(numbers, ends[:-1]) if len(per_row) else []
        found += [
            part if is_there else None
            for part, is_there in zip(parts, storage.is_valid().to_pylist(), strict=True)
        ]
    return found


def _seconds(column: Any) -> Floats:
    type_ = column.type
    if pa.types.is_date(type_):
        column, unit = pc.cast(column, pa.timestamp("ms")), "ms"
    else:
        unit = type_.unit
    whole = (
        pc.cast(column, pa.int32()) if pa.types.is_time32(type_) else pc.cast(column, pa.int64())
    )
    return numbers_of(whole) * _SECONDS[unit]


def times_of(column: Any, missing: Collection[str] = ()) -> Floats:
    """Return a column of times as Unix seconds, as `coerce.times` reads them.

    Args:
        column: Times, numbers, or texts.
        missing: Texts that count as missing besides "".

    Raises:
        ValueError: Some text is no time.
    """
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if not is_text(column.type):
        found = numbers_of(column)
        return usable(found) if pa.types.is_temporal(column.type) else times(found)
    texts = pc.cast(column, pa.string())
    known = pc.if_else(pc.is_in(texts, pa.array(["", *missing])), None, texts)
    try:
        # Far quicker than one by one; not where a text has a zone.
        return usable(_seconds(pc.cast(known, pa.timestamp("us"))))
    except pa.ArrowInvalid:
        pass
    return times(known.to_pylist())


def categories_of(
    column: Any,
    missing: Collection[str] = (),
    *,
    are_numbers: bool = False,
    are_spelt: bool = False,
    with_codes: bool = False,
) -> CategoryCounts:
    """Count the categories of a column of any kind.

    Args:
        column: An Arrow array or chunked array.
        missing: Texts that count as missing besides "".
        are_numbers: These texts were written for numbers: "1.0" is the category `1`, as it will
            be in requests, but "007" stays what it is.
        are_spelt: Count the rows that are numbers, or texts that spell one.
        with_codes: Also say which category each row has.

    Only the most frequent of very many categories are named, unless codes are wanted.
    """
    if pa.types.is_dictionary(column.type) and _is_written_anew(column.type.value_type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_temporal(column.type) or pa.types.is_string_view(column.type):
        column = pc.cast(column, pa.string())
    elif pa.types.is_decimal(column.type):
        column = pc.cast(column, pa.float64())
    values, rows, codes = _coded(column) if with_codes else _counted(column)
    total = int(rows.sum())
    spelt = int(rows[_spell_numbers(values)].sum()) if are_spelt else 0
    if codes is None and len(rows) > MOST_NAMED:
        top = np.sort(np.argpartition(rows, -MOST_NAMED)[-MOST_NAMED:])
        values, rows = values.take(pa.array(top)), rows[top]
    # Far quicker than `to_pylist`; a null among numbers is NaN.
    found = values.to_numpy(zero_copy_only=False).tolist()
    for i in np.flatnonzero(are_numbers | ~_are_own_names(values, missing)).tolist():
        value = found[i]
        is_absent = is_missing(value) or value in missing
        is_absent = is_absent or (are_numbers and value in NULL_SPELLINGS)
        found[i] = None if is_absent else _named(value, are_numbers)
    names = [name for name in found if name is not None]
    is_named = np.fromiter((name is not None for name in found), bool, len(found))
    other = total - int(rows.sum())
    absent = int(rows[~is_named].sum()) + len(column) - total
    if codes is not None:
        codes = np.append(np.where(is_named, np.cumsum(is_named) - 1, len(names)), len(names))[
            codes
        ]
    counted = tuple(rows[is_named].tolist())
    return CategoryCounts(tuple(names), counted, absent, other, codes, spelt)


def _are_own_names(values: Any, missing: Collection[str]) -> NDArray[np.bool_]:
    """Tell which texts `category_name` leaves as they are, as it does nearly all."""
    if not is_text(values.type):
        return np.zeros(len(values), dtype=bool)
    others = pc.is_in(values, pa.array([*TRUTHS, *missing], values.type))
    found = pc.and_not(pc.match_substring_regex(values, r"\A[!-~]"), others)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _spell_numbers(values: Any) -> NDArray[np.bool_]:
    """Tell which values are numbers, or texts that spell one."""
    if not is_text(values.type):
        return np.ones(len(values), dtype=bool)
    found = pc.match_substring_regex(values, _SPELT)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def spelt_numbers_of(column: Any, missing: Collection[str] = ()) -> Floats:
    """Return texts as numbers: null, "" and those of `missing` as NaN, other texts as infinity."""
    texts, _, codes = _coded(column)
    found = numbers([None if text in missing else text for text in texts.to_pylist()])
    return np.append(found, np.nan)[codes]


def _is_written_anew(type_: Any) -> bool:
    """Return whether values of a type are cast before they are named."""
    checks = (pa.types.is_temporal, pa.types.is_string_view, pa.types.is_decimal)
    return any(check(type_) for check in checks)


def _counted(column: Any) -> tuple[Any, NDArray[np.int64], None]:
    """Return the values other than null, and the rows of each."""
    counted = pc.value_counts(column)
    values, rows = counted.field("values"), counted.field("counts")
    is_known = pc.is_valid(values)
    return values.filter(is_known), rows.filter(is_known).to_numpy(), None


def _coded(column: Any) -> tuple[Any, NDArray[np.int64], NDArray[np.intp]]:
    """Return the values other than null, the rows of each, and each row's value by index, or -1."""
    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if not pa.types.is_dictionary(chunked.type):
        chunked = chunked.dictionary_encode()
    encoded = chunked.unify_dictionaries().combine_chunks()
    # Indices may be unsigned, and hold no -1 then.
    indices = pc.cast(encoded.indices, pa.int64())
    codes = pc.fill_null(indices, -1).to_numpy().astype(np.intp)
    rows = np.bincount(codes[codes >= 0], minlength=len(encoded.dictionary))
    return encoded.dictionary, rows, codes


def _named(value: Any, are_numbers: bool) -> str | None:
    if are_numbers and isinstance(value, str) and value not in BOOLEANS:
        spelt = category_number(value)
        return category_name(value if spelt is None else spelt)
    return category_name(value)
