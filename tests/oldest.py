"""Print the oldest version of each dependency that pyproject.toml allows, for pip's `--constraint`.

Of what users install; the tools of the tests are the newest. `make oldest` tests with these.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
EXTRAS = ("cli", "demo", "grpc", "msgpack", "postgres", "proxy")


def oldest(pyproject: str) -> Iterator[str]:
    """Give `name==version` of each lower bound.

    Raises:
        ValueError: A dependency has no lower bound, or an upper one, too.
    """
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    for wanted in [*project["dependencies"], *(each for extra in EXTRAS for each in extras[extra])]:
        found = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", wanted)
        if found:
            yield f"{found[1]}=={found[2]}"
        elif not wanted.startswith(f"{project['name']}["):
            raise ValueError(f"pyproject.toml: expected a lower bound alone, got {wanted!r}")


if __name__ == "__main__":
    print("\n".join(oldest(PYPROJECT.read_text())))
