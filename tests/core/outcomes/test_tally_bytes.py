"""Facts about tallies as bytes: those that earlier versions wrote are read, and written alike."""

from __future__ import annotations

import zlib
from base64 import b64decode

import numpy as np

from mlmon_exporter.core.outcomes.scored_rows import scored_rows, tally_outcomes
from mlmon_exporter.core.outcomes.segments import FeatureSegments, Segments
from mlmon_exporter.core.outcomes.tallies import SegmentLayout, SegmentTally, segment_indexes
from mlmon_exporter.core.outcomes.tally_bytes import from_bytes, to_bytes
from mlmon_exporter.core.outcomes.task import OutcomeRows, Task
from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.tally import Tally
from tests.core.build import buffer_of

# Compressed bytes that version 0.1 wrote, before segments were called so.
COLUMN_BYTES = """
eNrz9QkxlGBgYGBmgAAuIGYC4mglt8TiEpfM9NTiEiUdhWhDQyMdBYPYWKgyBkY0mpA4sfJQ4ABjuDkGh7h4utcxQt0FAgHY
1ULpB/YQ+oc9E07jYWo+wNWi8jmgZinBaenwg1orntywh/HDu8/Pmvz+L1y91ab7grxfH0P5PA5Ptz/O2rqdyQEARpUmiw==
"""
SEGMENT_BYTES = """
eNrz9Qk2ZGZgYABhEGAFYlMGBACJM0LZTFDMgCRGGHA4QBlQ+oM9Kh8DoKtDAzBxXPIcDlPTSz6vffXZXtfN586BC2/s7biu
Ly6wvWU/oe63VcG5AwTMxcXHBTDVzZoJAiftUfk3CZp39gwIvCHbXsrUoYc7oXDGGX/E2uvQcDi5UN76k323sfL2C6Vv7GHh
xCE9L07zNLXjCROQG0+kgQ80Mo/UcCBX/oN9jCOX4osfu+wTV7h4ce5ps68QWef+sKrFXtVZ5vUjM6lBG16k5aeBis9RMApG
NkAvh2H5DLU8RuQ71Hz9wZ7a5gAAEK2SNw==
"""

NUMBER = NumericBins(np.array([0.0, 1.0, 2.0]), np.array([1.0]))
COLOUR = CategoryBins(("red", "1"), frozenset({"rare"}))
MATRIX = ReferenceMatrix(
    [
        ColumnReference(name, bins, np.ones(5, dtype=np.int64))
        for name, bins in (("n", NUMBER), ("c", COLOUR))
    ]
)
TASK = Task("classification", ("p",), ("no", "yes"), 1, None, (0,))
LAYOUT = SegmentLayout(TASK, Segments([FeatureSegments("sex", ["f", "m"])]))


def test_column_tallies_of_an_earlier_version_are_read_and_written_alike() -> None:
    buffer = buffer_of(MATRIX)
    buffer.add({"n": [0.5, 1.5, None], "c": ["red", "new", ""]}, 3, 0.0, request_bytes=9)
    buffer.drain()
    expected = zlib.decompress(b64decode(COLUMN_BYTES))
    assert to_bytes(buffer.tallies.merged(0.0)[0]) == expected
    tally = from_bytes(expected)
    assert isinstance(tally, Tally)
    MATRIX.layout.check(tally)
    assert (tally.rows, tally.counts.tolist()) == (3, [0, 1, 1, 0, 1, 1, 0, 0, 1, 1])
    assert MATRIX.layout.fingerprint == "bd84589f4176990d"


def test_segment_tallies_of_an_earlier_version_are_read_and_written_alike() -> None:
    rows = OutcomeRows(
        np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0]), np.array([[0.2], [0.9], [0.4]])
    )
    which = segment_indexes(LAYOUT, [("f",), ("m",), ("f",)])
    expected = zlib.decompress(b64decode(SEGMENT_BYTES))
    assert to_bytes(tally_outcomes(LAYOUT, scored_rows(LAYOUT, rows), which)) == expected
    tally = from_bytes(expected)
    assert isinstance(tally, SegmentTally)
    LAYOUT.check(tally)
    assert tally.sums[:, LAYOUT.fields["rows"]].ravel().tolist() == [3, 2, 1, 0, 0]
    assert LAYOUT.fingerprint == "cd1e7487ee924926"
