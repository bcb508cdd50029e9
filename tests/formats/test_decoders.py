"""Facts about bodies that are not JSON: NumPy's files, forms, MessagePack."""

from __future__ import annotations

import io
import sys
import zipfile
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.formats import BodyMap, FormatError, Parsed, parse

from .bodies import exchange

ROWS = [[1.5, 2.0], [3.0, 4.25]]
NPY = {"content-type": "application/x-npy"}
NPZ = {"content-type": "application/x-npz"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
MSGPACK = {"content-type": "application/msgpack"}


def npy(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values))
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def read(
    request: bytes, response: bytes = b"", headers: dict[str, str] | None = None, **known: Any
) -> Parsed:
    sent = exchange(request, response, request_headers=headers, response_headers=headers)
    return parse(sent, BodyMap(**known))


def reason(request: bytes, headers: dict[str, str], **known: Any) -> str:
    with pytest.raises(FormatError) as raised:
        read(request, headers=headers, **known)
    return raised.value.reason


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i8", "|u1", "<f2", np.longdouble])
def test_an_npy_file_is_its_rows(dtype: Any) -> None:
    rows = np.array([[1, 2], [3, 4]], dtype)
    batch = read(npy(rows), npy([0.25, 0.75]), NPY, feature_names=("a", "b")).batch
    assert batch.features == {"a": [1, 3], "b": [2, 4]}
    assert batch.predictions == {"prediction": [0.25, 0.75]}


def test_an_npy_file_in_column_order_is_the_same_rows() -> None:
    batch = read(npy(np.asfortranarray(ROWS)), headers=NPY).batch
    assert batch.features == {"0": [1.5, 3.0], "1": [2.0, 4.25]}


def test_an_npy_file_of_texts_has_texts() -> None:
    assert read(npy([["yes"], ["no"]]), headers=NPY).batch.features == {"0": ["yes", "no"]}
    assert read(npy([[b"yes"], [b"\xff"]]), headers=NPY).batch.features == {"0": ["yes", "�"]}


def test_an_npy_file_is_known_by_its_first_bytes_too() -> None:
    media = {"content-type": "application/octet-stream"}
    assert read(npy(ROWS), npy([[1], [0]]), media).batch.predictions == {"prediction": [1, 0]}


def test_an_npz_file_is_its_arrays_by_name() -> None:
    batch = read(npz(a=[1.0, 2.0], b=[3.0, 4.0]), headers=NPZ).batch
    assert (batch.features, batch.rows) == ({"a": [1.0, 2.0], "b": [3.0, 4.0]}, 2)


def test_an_npz_file_of_one_array_is_that_arrays_rows() -> None:
    batch = read(npz(arr_0=ROWS), headers=NPZ, feature_names=("a", "b")).batch
    assert batch.features == {"a": [1.5, 3.0], "b": [2.0, 4.25]}


def test_an_array_of_objects_is_not_unpickled() -> None:
    assert reason(npy(np.array([{}], dtype=object)), NPY) == "malformed"
    assert reason(npy(np.zeros(2, [("a", "f8"), ("b", "i4")])), NPY) == "malformed"


@pytest.mark.parametrize(
    "change", [(b"(2, 2)", b"(2, 3)"), (b"(2, 2)", b"(9" + b"9" * 300 + b", 2)"), (b"<f8", b"<f3")]
)
def test_an_npy_file_whose_header_does_not_fit_is_malformed(change: tuple[bytes, bytes]) -> None:
    assert reason(npy(ROWS).replace(*change), NPY) == "malformed"


def test_a_file_that_says_it_has_rows_without_bytes_is_malformed() -> None:
    empty = npy(np.empty((0, 2))).replace(b"(0, 2), ", b"(9999, 0), ")
    assert reason(empty, NPY) in ("malformed", "no_columns")


def test_an_npz_bomb_is_too_large() -> None:
    assert reason(npz(a=np.zeros(1_000_000)), NPZ, max_inflated_bytes=100_000) == (
        "compressed_too_large"
    )


def test_an_npz_file_that_lies_about_its_size_is_cut_where_it_said() -> None:
    content = bytearray(npz(a=np.zeros(100_000)))
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (200).to_bytes(4, "little")
    assert reason(bytes(content), NPZ) == "malformed"


def test_what_is_no_zip_file_is_malformed() -> None:
    assert reason(b"PK\x03\x04", NPZ) == "malformed"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("a.npy", b"not an array")
    assert reason(file.getvalue(), NPZ) == "malformed"


def test_a_form_is_one_row() -> None:
    batch = read(b"age=30&city=Bern+West&income=&rooms=1&rooms=2", headers=FORM).batch
    assert batch.features == {
        "age": 30.0, "city": "Bern West", "income": None, "rooms[0]": 1.0, "rooms[1]": 2.0,
    }  # fmt: skip


def test_json_under_a_forms_media_type_is_json() -> None:
    assert read(b'{"a": "x=1", "b": NaN}', headers=FORM).batch.features["a"] == "x=1"


def test_a_form_of_too_many_fields_is_not_read() -> None:
    assert reason(b"a=1&" * 20_000, FORM) == "too_many_features"
    assert reason(b"a=\xff", FORM) == "bad_encoding"


MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n30\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--x--\r\n"
)


def test_a_multipart_forms_texts_are_one_row_without_its_files() -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert read(MULTIPART, headers=headers).batch.features == {"age": 30.0}


def test_a_multipart_form_of_files_alone_is_not_read() -> None:
    headers = {"content-type": 'multipart/form-data; boundary="x"'}
    assert reason(MULTIPART[MULTIPART.rindex(b"--x\r\n") :], headers) == "unsupported_media"
    assert reason(MULTIPART, {"content-type": "multipart/form-data"}) == "malformed"


@pytest.fixture(scope="module")
def packed() -> Any:
    return pytest.importorskip("msgpack").packb


def test_messagepack_is_read_where_it_is_installed(packed: Any) -> None:
    parsed = read(packed({"instances": ROWS}), packed({"predictions": [0.5, 1]}), MSGPACK)
    assert parsed.batch.features == {"0": [1.5, 3.0], "1": [2.0, 4.25]}
    assert parsed.batch.predictions == {"prediction": [0.5, 1]}


def test_a_bare_number_in_messagepack_is_not_taken_for_json(packed: Any) -> None:
    assert packed(49) == b"1"
    assert read(packed({"a": 1}), packed(49), MSGPACK).batch.predictions == {"prediction": 49}


def test_names_in_messagepack_are_texts_and_bytes_are_no_values(packed: Any) -> None:
    batch = read(packed({1: 2.0, "b": b"\xff", "c": [b"x", b"\xff"]}), headers=MSGPACK).batch
    assert batch.features == {"1": 2.0, "b": {"b64": ""}, "c[0]": "x", "c[1]": {"b64": ""}}


@pytest.mark.parametrize("content", [b"\xc1", b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", b"\x92\x01"])
def test_what_is_no_messagepack_is_malformed(packed: Any, content: bytes) -> None:
    assert reason(content, MSGPACK) == "malformed"


def test_messagepack_is_unsupported_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    assert reason(b"\x81", MSGPACK) == "unsupported_media"
