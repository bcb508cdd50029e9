"""Facts about binary tensors: what NumPy wrote, without a copy."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmon_exporter.formats import parse
from tests.formats.tensor import ANY, binary, features

DATATYPES = {
    "BOOL": "?",
    **{f"UINT{8 * n}": f"<u{n}" for n in (1, 2, 4, 8)},
    **{f"INT{8 * n}": f"<i{n}" for n in (1, 2, 4, 8)},
    **{f"FP{8 * n}": f"<f{n}" for n in (2, 4, 8)},
}


@pytest.mark.parametrize("datatype", DATATYPES)
@given(data=st.data())
def test_binary_tensors_are_what_numpy_wrote(datatype: str, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    array = data.draw(hnp.arrays(np.dtype(DATATYPES[datatype]), shape))
    rows = array.reshape(shape[0], -1)
    read = features(binary(list(shape), array.tobytes(), datatype))
    columns = [read[name] for name in read]
    if shape[0] == 1:
        columns = [[value] for value in columns]
    np.testing.assert_array_equal(np.array(columns, dtype=array.dtype).T, rows)


@given(st.lists(st.floats(width=16) | st.sampled_from([1.5, -2.0, 1e30]), min_size=2))
def test_bfloat_is_the_upper_half_of_a_float(values: list[float]) -> None:
    uppers = [struct.pack("<f", value)[2:] for value in values]
    expected = [struct.unpack("<f", b"\0\0" + upper)[0] for upper in uppers]
    read = features(binary([len(values)], b"".join(uppers), "BF16"))
    np.testing.assert_array_equal(read["x"], expected)


@given(st.lists(st.text(), min_size=2))
def test_binary_texts_stand_after_their_lengths(values: list[str]) -> None:
    content = b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in values)
    assert features(binary([len(values)], content, "BYTES")) == {"x": values}


def test_bytes_that_are_no_text_are_an_invalid_value() -> None:
    content = struct.pack("<I", 2) + b"\xff\x00"
    assert features(binary([1], content, "BYTES")) == {"x": {"b64": ""}}


def test_binary_tensors_are_views_of_the_body() -> None:
    content = np.arange(6, dtype="<f8").tobytes()
    columns = parse(binary([3, 2], content, "FP64"), ANY).batch.features
    assert all(column.base is not None for column in columns.values())


@pytest.mark.parametrize("content", [b"\x01\x00\x02", b"\x00\xff\x01"])
def test_any_byte_but_zero_is_true(content: bytes) -> None:
    assert features(binary([3], content, "BOOL")) == {"x": [byte != 0 for byte in content]}
