"""The rule for names of categories: no free text, and nothing that is called a secret.

A column of texts is categorical only if its values are short and recur. Of others, which are free
texts, characters and words are counted. Columns whose name says that they hold a secret are never
read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from mlmon_exporter.core.coerce import INVALID_VALUE, MISSING_VALUE, Floats, is_missing, scalar

MAX_NAME_CHARACTERS = 64
MAX_NAME_WORDS = 6
"""A text of more characters or words, or of several lines, names no category."""
CHARACTERS, WORDS = ".characters", ".words"
"""Suffixes of the columns with the numbers of characters and words of a text."""
TEXT_NAMES = frozenset(
    """prompt prompts question questions query text text_input input_text text_output
    output_text generated_text inputs instruction instructions message messages content completion
    comment comments utterance transcript""".split()
)
"""Last parts of the names of columns that are text, regardless of their values."""

SECRETS = frozenset(
    """password passwd passphrase pwd secret secrets token authorization apikey cookie credential
    credentials jwt bearer ssn cvv otp""".split()
)
WHOLE_SECRETS = frozenset(("pass", "auth", "cookies"))
"""Secrets where they are the whole name, or all of its last part."""
_ENDINGS = tuple("password passwd passphrase secret token authorization cookie".split())
_KEYS = tuple("apikey accesskey privatekey secretkey".split())
"""Endings of names of secrets, and words within them, without separators."""
_MEASURES = frozenset(
    """count counts length len age number num n total size has is days hours strength max min mean
    ratio rate""".split()
)
"""Words that say that a column has a number about a secret, not the secret: `token_count`."""
_TEXTS = frozenset((str, type(None)))
_PART = re.compile(r"[.\[\]]+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Return whether a column's name says that it holds a secret, in any part and any spelling."""
    return any(_is_secret_part(part) for part in _PART.split(name[:512]))


def _is_secret_part(part: str) -> bool:
    words = [word.lower() for word in _WORD.findall(part)]
    joined = "".join(words)
    if joined in WHOLE_SECRETS:
        return True
    is_named = not SECRETS.isdisjoint(words) or joined.endswith(_ENDINGS)
    is_named = is_named or any(key in joined for key in _KEYS)
    return is_named and _MEASURES.isdisjoint(words)


def is_text_name(name: str) -> bool:
    """Return whether a column is text by its name, such as `data.question` or `inputs`."""
    parts = [part for part in _PART.split(name) if part and not part.isdigit()]
    return bool(parts) and parts[-1].lower() in TEXT_NAMES


def is_long(text: str) -> bool:
    """Return whether a text is too long to name a category."""
    if len(text) > MAX_NAME_CHARACTERS:
        return True
    return len(text) > 2 * MAX_NAME_WORDS and (
        len(text.split(None, MAX_NAME_WORDS)) > MAX_NAME_WORDS or "\n" in text
    )


def sources(names: Iterable[str]) -> tuple[str, ...]:
    """Return the texts whose characters and words are among columns of these names."""
    known = dict.fromkeys(names)
    stems = (name.removesuffix(WORDS) for name in known if name.endswith(WORDS))
    return tuple(stem for stem in stems if stem + CHARACTERS in known and stem not in known)


def input_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of columns as a body has them: a text in place of its characters and words."""
    names = tuple(names)
    measured = {stem + ending: stem for stem in sources(names) for ending in (CHARACTERS, WORDS)}
    return tuple(dict.fromkeys(measured.get(name, name) for name in names))


def measured(columns: Mapping[str, Any], rows: int, texts: Iterable[str]) -> dict[str, Any]:
    """Return columns with the characters and words of these texts among them.

    Args:
        columns: Name -> one value (where `rows` is 1) or a sequence of `rows` values.
        rows: How many rows.
        texts: Names, as `sources` gives them. Of those that are not there, nothing is added.
    """
    found: dict[str, Any] = {}
    for name in texts:
        values = columns.get(name)
        if values is None:
            continue
        if rows == 1:
            found[name + CHARACTERS], found[name + WORDS] = sizes(scalar(values))
        else:
            found[name + CHARACTERS], found[name + WORDS] = all_sizes(values)
    return {**found, **columns}


def all_sizes(values: Iterable[Any]) -> Floats:
    """Return characters and words of each value, shape (2, values)."""
    values = [*values]
    if _TEXTS.issuperset(map(type, values)):
        # The usual case, in a third of the time.
        texts = [text or "" for text in values]
        found = np.array([[*map(len, texts)], [*map(len, map(str.split, texts))]], np.float64)
        found[:, found[0] == 0] = MISSING_VALUE
        return found
    pairs = [sizes(scalar(value)) for value in values]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2).T


def sizes(value: Any) -> tuple[float, float]:
    """Return characters and words of a value: NaN where it is missing, infinity if no text."""
    if isinstance(value, str) and value:
        return float(len(value)), float(len(value.split()))
    missing = MISSING_VALUE if is_missing(value) else INVALID_VALUE
    return missing, missing
