"""Body bytes to columns: one file a wire format, one `FORMATS` row each, one error.

A format recognises its requests and reads both directions of an exchange. What formats share is
in steps, a noun a file: `message` (bytes to a JSON value, through `codings` and `json_text`),
`features` and `predictions` (where in the value they are), `tables` and `flatten` (values to
columns). Any body is read or raises `FormatError`.
"""

from .body_map import BodyMap
from .errors import REASONS, FormatError, Reason
from .parsing import AUTO, FORMATS, Format, Parsed, parse

__all__ = [
    "AUTO",
    "FORMATS",
    "REASONS",
    "BodyMap",
    "Format",
    "FormatError",
    "Parsed",
    "Reason",
    "parse",
]
