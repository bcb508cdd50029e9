"""Body bytes to columns: one file a wire format, one `FORMATS` row each, one error.

A format recognises its requests and reads both directions of an exchange. What formats share is
in steps, a noun a file: `message` (bytes to a JSON value, through `codings` and `json_text`),
`features` and `predictions` (where in the value they are), `tables` and `flatten` (values to
columns). Any body is read or raises `FormatError`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

# Resolved on first use, so that sources, which name a media type, need not wait for the readers.
_MODULES = {"BodyMap": "body_map", "REASONS": "errors", "FormatError": "errors", "Reason": "errors"}


def __getattr__(name: str) -> object:
    """Import the module of a public name (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'parsing')}"), name)
