"""The routes that the configuration names, looked up by a request's path."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence


class RouteTemplates:
    """Templates such as `/v1/models/{name}:predict`; immutable.

    A parameter matches a path segment or a part of one; `{rest:path}` matches any number of
    segments. Any other convertor, such as `{id:int}`, counts as a plain parameter.
    """

    def __init__(self, templates: Collection[str] = ()) -> None:
        self._exact = frozenset(templates)
        self._patterns = [(_pattern(text), text) for text in templates if "{" in text]

    def find(self, path: str) -> str | None:
        """Return the template of a path, the first of several; None where there is none."""
        if path in self._exact:
            return path
        return next((text for pattern, text in self._patterns if pattern.fullmatch(path)), None)

    def values(self, path: str) -> Sequence[str]:
        """Return what stands in a path for the parameters of its template, in their order."""
        found = (pattern.fullmatch(path) for pattern, _ in self._patterns)
        return next((match.groups() for match in found if match), ())


NONE = RouteTemplates()


def _pattern(template: str) -> re.Pattern[str]:
    parameter = r"\\\{\w+(:path)?(?::\w+)?\\\}"
    return re.compile(
        re.sub(parameter, lambda found: "(.*)" if found[1] else "([^/]+)", re.escape(template)),
        re.DOTALL,
    )
