"""Bodies that are not JSON, decoded to the values that JSON would have: forms, arrays, MessagePack.

Source: NumPy, NEP 1 (NPY, NPZ); WHATWG URL and RFC 7578 (forms); the MessagePack specification.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from mlmon_exporter.core.labels import clean_label

from . import csv_text, json_text, tensor_bytes
from .errors import FormatError

NPY_MAGIC = b"\x93NUMPY"
_NPY_HEADER = re.compile(
    rb"\x93NUMPY[\1-\3]\0.{2,4}?"
    rb"\{'descr': '(?P<type>[<>|=][?biufSU]\d{0,5})', 'fortran_order': (?P<order>True|False), "
    rb"'shape': \((?P<shape>[\d, ]{0,400})\), \} *\n",
    re.DOTALL,
)
"""As NumPy writes it. Its own reader evaluates Python literals, which no request shall ask for."""
_LONGEST = 8
"""Bytes of a number that Python has a type for."""
ARRAYS = frozenset(("application/x-npy", "application/npy", "application/x-npz", "application/npz"))
"""Media types of NumPy's files; the default of SageMaker's SKLearn and PyTorch predictors."""
FORM = "application/x-www-form-urlencoded"
_NPZ_MEMBERS = 1000
_FIELDS = 10_000
_BOUNDARY = re.compile(rb'boundary="?([^";\s]{1,70})', re.IGNORECASE)
_FIELD_NAME = re.compile(rb'\bname="([^"\r\n]*)"', re.IGNORECASE)

Decoder = Callable[[bytes, bytes, int], Any]
"""Takes a body, its content type and how many bytes may come out of it; raises FormatError."""


def npy(content: bytes, _media: bytes, _max_bytes: int) -> Any:
    """Return the value or the nested lists that an NPY file of numbers or texts holds."""
    header = _NPY_HEADER.match(content)
    if header is None:
        raise FormatError("malformed", "body: expected an NPY file of numbers or texts")
    start, shape = header.end(), [int(size) for size in header["shape"].split(b",") if size.strip()]
    try:
        dtype = np.dtype(header["type"].decode())
        empty = np.empty(0, dtype)
        values = np.frombuffer(content, dtype, offset=start) if start < len(content) else empty
        array = np.reshape(values, shape, order="F" if header["order"] == b"True" else "C")
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError("malformed", "NPY: expected as many values as its shape has") from error
    if dtype.kind in "biuf":
        return array.astype(np.float64).tolist() if dtype.itemsize > _LONGEST else array.tolist()
    texts = np.array([_text(value) for value in array.ravel().tolist()], dtype=object)
    return texts.reshape(array.shape).tolist()


def _text(value: str | bytes) -> str:
    return clean_label(value) if isinstance(value, str) else value.decode("utf-8", "replace")


def npz(content: bytes, media: bytes, max_bytes: int) -> Any:
    """Return the arrays of an NPZ file by name; an only array as `npy` does."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            members = file.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > _NPZ_MEMBERS or size > max_bytes:
                raise FormatError("compressed_too_large", f"NPZ: expected {max_bytes} bytes")
            arrays = {_array_name(member): _member(file, member) for member in members}
    except (ValueError, zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError("malformed", "body: expected an NPZ file") from error
    values = {name: npy(member, media, max_bytes) for name, member in arrays.items()}
    return next(iter(values.values())) if len(values) == 1 else values


def _array_name(member: zipfile.ZipInfo) -> str:
    return clean_label(member.filename.removesuffix(".npy"))


def _member(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with file.open(member) as opened:
        return opened.read(member.file_size)


def form(content: bytes, _media: bytes, _max_bytes: int) -> Any:
    """Return the one row of a form; JSON under a form's media type, as curl sends it, as JSON."""
    if b"=" not in content or content.lstrip()[:1] in (b"{", b"["):
        return json_text.loads(content)
    try:
        text = content.decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except UnicodeDecodeError as error:
        raise FormatError("bad_encoding", "form: expected UTF-8") from error
    except ValueError as error:
        raise FormatError("too_many_features", f"form: expected {_FIELDS} fields") from error
    return _row(pairs)


def multipart(content: bytes, media: bytes, _max_bytes: int) -> Any:
    """Return the one row of a form's text fields; files are skipped."""
    boundary = _BOUNDARY.search(media)
    if boundary is None:
        raise FormatError("malformed", "form: expected a boundary in the content type")
    # Each starts with the line end after the boundary and ends with the one before the next.
    parts = content.split(b"--" + boundary[1], _FIELDS)[1:-1]
    pairs = []
    for part in parts:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head[:1000])
        if name is not None and b"filename" not in head[:1000].lower():
            text = value.removesuffix(b"\r\n").decode("utf-8", "replace")
            pairs.append((name[1].decode("utf-8", "replace"), text))
    if not pairs:
        raise FormatError("unsupported_media", "form: expected text fields, got none")
    return _row(pairs)


def _row(pairs: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    fields: dict[str, list[Any]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(csv_text.value(value))
    return [{name: values if len(values) > 1 else values[0] for name, values in fields.items()}]


def msgpack(content: bytes, _media: bytes, _max_bytes: int) -> Any:
    """Return the value of MessagePack, where the package `msgpack` is installed."""
    try:
        library = import_module("msgpack")
    except ImportError:
        raise FormatError("unsupported_media", "body: expected msgpack to be installed") from None
    try:
        value = library.unpackb(
            content,
            raw=False,
            timestamp=1,
            strict_map_key=False,
            ext_hook=lambda _code, _data: None,
            object_pairs_hook=_named,
        )
        return _without_bytes(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError("malformed", "body: expected MessagePack") from error


def _named(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    return {str(name): _without_bytes(value) for name, value in pairs}


def _without_bytes(value: Any) -> Any:
    """Return the value, and in lists each value, with texts in place of bytes."""
    if type(value) is list:
        return [_without_bytes(item) for item in value] if _holds_bytes(value) else value
    return tensor_bytes.text(value) if type(value) is bytes else value


def _holds_bytes(values: list[Any]) -> bool:
    return not {list, bytes}.isdisjoint(map(type, values))


BY_MEDIA: Mapping[str, Decoder] = {
    "application/x-npy": npy,
    "application/npy": npy,
    "application/x-npz": npz,
    "application/npz": npz,
    FORM: form,
    "multipart/form-data": multipart,
    "application/msgpack": msgpack,
    "application/x-msgpack": msgpack,
    "application/vnd.msgpack": msgpack,
}
"""Media type -> what decodes a body of it that is no JSON."""
