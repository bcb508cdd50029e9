"""The one reader of values: numbers, booleans and times; `names` reads categories and classes.

Every way in (JSON, CSV, tensors, Parquet, frames, `observe`, data files, ground truth) hands over
values as it finds them; these functions alone decide which of them are the same, which are missing
and which are invalid. docs/values.md has the rules as a table.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MISSING_VALUE = math.nan
INVALID_VALUE = math.inf
"""Stands for what cannot be read as a number; infinities themselves are invalid as well."""
LARGEST = 1e300
"""Sums of larger values would overflow: where values are added up, they count as this."""
NULL_SPELLINGS = frozenset("NA N/A n/a #NA #N/A <NA> NULL Null null None NaN -NaN nan -nan".split())
"""Texts in a number's place that mean there is none. Of categories only "" is: NA may be Namibia.
"""
BOOLEANS = ("false", "true")
ROUNDING = 1e-6
"""A probability may be this far outside 0 to 1: sums and 32-bit numbers round."""
LATEST = 1e11
"""Unix seconds of the year 5138; greater numbers are times in another unit."""
MOST_SECONDS = 1e10
"""Three hundred years before or after 1970: what is further from it is no time of a row."""
_UNITS = (
    (1e17, "nanoseconds", 1e9),
    (1e14, "microseconds", 1e6),
    (LATEST, "milliseconds", 1e3),
)

TRUTHS: Mapping[str, int] = {
    spelling: i
    for i, name in enumerate(BOOLEANS)
    for spelling in (name, name.title(), name.upper())
}
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|$)", re.ASCII)
TYPED = (dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64)
_LEAST_FLOAT32, _GREATEST_FLOAT32 = 2.0**-126, float(np.finfo(np.float32).max)


class Cell(str):
    """Text from a source without types, such as CSV: a number wherever it can be one."""

    __slots__ = ()


def number(value: Any) -> float:
    """Return a value as a number: NaN where it is missing, infinity where it is none.

    Booleans are 1 and 0, times Unix seconds, durations seconds; so are texts that spell these.
    """
    if type(value) is float:
        return value
    value = scalar(value)
    read = next((read for types, read in _NUMBERS if isinstance(value, types)), float)
    try:
        return MISSING_VALUE if is_missing(value) else read(value)
    except Exception:  # noqa: BLE001 - the author of the object chose what it raises
        return INVALID_VALUE


def _spelt_number(text: str) -> float:
    # Python alone takes `1_000` for a number, and digits of other scripts.
    if text.isascii() and "_" not in text:
        with suppress(ValueError):
            return float(text)
    text = text.strip()
    if not text or text in NULL_SPELLINGS:
        return MISSING_VALUE
    if text in TRUTHS:
        return float(TRUTHS[text])
    if _ISO_TIME.match(text):
        with suppress(ValueError):
            return _seconds(dt.datetime.fromisoformat(text))
    return INVALID_VALUE


def numbers(values: Sequence[Any] | NDArray[Any]) -> Floats:
    """Return a column as numbers, shape (rows,), each as `number` reads it."""
    if not isinstance(values, list | tuple | np.ndarray) and hasattr(values, "__array__"):
        values = np.asarray(values)
    kind = values.dtype.kind if isinstance(values, np.ndarray) else ""
    if kind in ("b", "i", "u", "f"):
        column = np.asarray(values, dtype=np.float64)
    elif kind in ("m", "M"):
        column = _all_seconds(values)
    elif kind == "c":
        return np.full(len(values), INVALID_VALUE)
    elif kind or _has_texts(values):
        return _read_each(values)
    else:
        try:
            column = np.asarray(values, dtype=np.float64)
        except Exception:  # noqa: BLE001 - see `number`
            return _read_each(values)
    if column.ndim == 1:
        return column
    if column.size == len(column):
        return column.reshape(-1)
    return np.full(len(column), INVALID_VALUE)


def _has_texts(values: Sequence[Any] | NDArray[Any]) -> bool:
    """Return whether NumPy would read some value by other rules."""
    return not _AS_NUMPY_READS.issuperset(map(type, values))


def _read_each(values: Sequence[Any] | NDArray[Any]) -> Floats:
    """Return values as numbers: in a third of the time where all are numbers or spell them."""
    if _AS_PYTHON_READS.issuperset(map(type, values)):
        text = "".join(value for value in values if isinstance(value, str))
        if text.isascii() and "_" not in text:  # see `_spelt_number`
            with suppress(ValueError, OverflowError):
                return np.array([*map(float, values)], dtype=np.float64)
    return np.array([number(value) for value in values], dtype=np.float64)


_AS_NUMPY_READS = frozenset((float, int, bool, type(None)))
_AS_PYTHON_READS = frozenset((float, int, bool, str, Cell))


def vector(values: Sequence[Any]) -> Floats:
    """Return values of different columns as numbers, shape (values,), each as `number` reads it."""
    # Each takes a third of the time of the next: all are numbers, or some are missing.
    with suppress(struct.error):
        return _packed(values)
    with suppress(struct.error):
        return _packed([MISSING_VALUE if value is None else value for value in values])
    return np.array([number(value) for value in values], np.float64)


def _packed(values: Sequence[Any]) -> Floats:
    return np.frombuffer(struct.pack(f"{len(values)}d", *values), np.float64)


def matrix(columns: Sequence[Sequence[Any] | NDArray[Any]], rows: int) -> Floats:
    """Return columns of `rows` values each, shape (columns, rows), each as `numbers` reads it."""
    if {*map(type, columns)} == {list}:
        # As bodies have them: all in one go, if all are plain numbers or None. NumPy would read
        # texts by other rules; a sum refuses them in a seventh of the time of asking.
        with suppress(Exception):
            sum(filter(None, chain.from_iterable(columns)))
            with suppress(TypeError):
                values = chain.from_iterable(columns)
                return np.fromiter(values, np.float64, len(columns) * rows).reshape(-1, rows)
            return np.array(columns, np.float64).reshape(-1, rows)
    return np.array([numbers(column) for column in columns]).reshape(-1, rows)


def scalar(value: Any) -> Any:
    """Return the value of one row, which may come as a list or array of one."""
    while isinstance(value, list | tuple | np.ndarray):
        if isinstance(value, np.ndarray) and not value.ndim:
            return value[()] if value.dtype.kind in "mM" else value.item()
        if len(value) != 1:
            break
        value = value[0]
    return value


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN (also pandas' NA and NaT) or a blank text."""
    if isinstance(value, str):
        return not value or value.isspace()
    try:
        return bool(value is None or value != value)
    except Exception:  # noqa: BLE001 - see `number`
        # An array has no truth value; nor has pandas' NA.
        return type(value).__name__ == "NAType"


def summable(ordered: Floats) -> Floats:
    """Return ascending finite values such that their sum is also finite; see `LARGEST`."""
    if len(ordered) and (ordered[0] < -LARGEST or ordered[-1] > LARGEST):
        return np.clip(ordered, -LARGEST, LARGEST)
    return ordered


def rounding_of(values: Floats) -> Floats:
    """Return how far a number may be from each value and still be the same one.

    That is half a step of 32-bit floats, since models and the tables that they are trained on
    keep numbers as either. 0 for whole numbers, which are exact in both as far as they are counts,
    and for magnitudes that 32 bits do not have.
    """
    size = np.abs(values)
    is_rounded = (size >= _LEAST_FLOAT32) & (size <= _GREATEST_FLOAT32) & (values % 1 != 0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        half = np.spacing(size.astype(np.float32)).astype(np.float64) / 2
    return np.where(is_rounded, half, 0.0)


def probabilities(values: Floats) -> Floats:
    """Return probabilities, clipped where they are `ROUNDING` outside 0 to 1 at most; else NaN."""
    with np.errstate(invalid="ignore"):
        is_near = (values >= -ROUNDING) & (values <= 1 + ROUNDING)
    return np.where(is_near, np.clip(values, 0.0, 1.0), np.nan)


def seconds(value: Any) -> float:
    """Return a time as Unix seconds: of a number, a time, or ISO 8601 text; without a zone, UTC.

    Raises:
        ValueError: It is none, or a number in another unit, which is named.
    """
    value = scalar(value)
    found = number(value)
    if isinstance(value, bool | np.bool_) or not math.isfinite(found):
        raise ValueError("expected Unix seconds or ISO 8601")
    unit = unit_of(found)
    if unit:
        raise ValueError(f"expected Unix seconds, got {found:g}: these look like {unit}")
    return found


def unit_of(time: float) -> str:
    """Return the unit that a time since 1970 is in where that cannot be seconds, else ""."""
    return next((unit for least, unit, _ in _UNITS if abs(time) >= least), "")


def times(values: Sequence[Any] | NDArray[Any]) -> Floats:
    """Return the times of rows as Unix seconds, shape (rows,); NaN where one is missing or absurd.

    Numbers are seconds, or, where they are too great for that, milliseconds, microseconds or
    nanoseconds, each by its size. Timestamps and ISO 8601 texts without a zone are UTC.

    Raises:
        ValueError: Some text, or another value, is no time.
    """
    kind = values.dtype.kind if isinstance(values, np.ndarray) else ""
    found = numbers(values)
    if kind in ("", "O", "U"):
        is_count = np.array([_is_count(value) for value in values], dtype=bool)
        is_wrong = np.isinf(found) & ~is_count
        if is_wrong.any():
            wrong = values[int(np.argmax(is_wrong))]
            raise ValueError(
                "expected times such as 2026-11-23T12:00:00 or Unix seconds, "
                f"got {str(wrong)!r:.80}"
            )
        found[is_count] = _in_seconds(found[is_count])
    elif kind in ("i", "u", "f"):
        found = _in_seconds(found)
    return usable(found)


def usable(seconds: Floats) -> Floats:
    """Return times of rows with NaN where they are infinite or absurd."""
    return np.where(np.abs(seconds) <= MOST_SECONDS, seconds, np.nan)


def _is_count(value: Any) -> bool:
    """Tell a number since 1970, in any unit, from a text that names its time."""
    if isinstance(value, str):
        return math.isfinite(number(value)) and not _ISO_TIME.match(value.strip())
    return not isinstance(value, TYPED) and isinstance(value, float | int | np.number)


def _in_seconds(counts: Floats) -> Floats:
    scales = np.ones(len(counts))
    for least, _, scale in reversed(_UNITS):
        scales[np.abs(counts) >= least] = scale
    return counts / scales


def _seconds(value: Any) -> float:
    if isinstance(value, np.datetime64 | np.timedelta64):
        return float(_all_seconds(np.array([value]))[0])
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, dt.time):
        value = dt.datetime.combine(dt.date(1970, 1, 1), value)
    elif not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    return float((value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp())


def _all_seconds(values: Any) -> Floats:
    """Return a column of NumPy's times or durations as seconds."""
    unit = f"{'datetime64' if values.dtype.kind == 'M' else 'timedelta64'}[us]"
    try:
        fine = values.astype(unit)
    except (TypeError, ValueError):
        return np.full(len(values), INVALID_VALUE)
    return np.where(np.isnat(fine), np.nan, fine.astype(np.int64) / 1e6)


_NUMBERS: tuple[tuple[Any, Callable[[Any], float]], ...] = (
    (str, _spelt_number),
    (bytes, lambda value: _spelt_number(value.decode("utf-8", "replace"))),
    (TYPED, _seconds),
    ((complex, np.complexfloating), lambda value: INVALID_VALUE),
)
"""Types -> how such a value is read as a number; others as Python does."""
