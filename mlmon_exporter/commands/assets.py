"""`mlmon-exporter assets`: the bundled boards, rules and runbooks as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mlmon_exporter.assets import assets_root

from .terminal import UserError, user_errors

EXAMPLE = """mlmon-exporter assets --out monitoring"""

FOLDERS = ("grafana", "alerts")


def assets(
    out: Annotated[
        Path, typer.Option(metavar="DIR", show_default=False, help="The folder to write to.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that were changed, too.")
    ] = False,
) -> None:
    """Write the Grafana boards, the Prometheus rules and their runbooks to a folder.

    Files that are there already and differ are let be, unless --force is given.
    """
    with user_errors(FileNotFoundError):
        root = assets_root()
        written, same = write_assets(root, out, force=force)
    console = Console(highlight=False, soft_wrap=True)
    for name in written:
        console.print(f"  {name}", markup=False)
    kept = f"; {same} were there already" if same else ""
    console.print(f"Wrote {len(written)} files to [bold]{out}[/bold]{kept}.")


def write_assets(root: Path, out: Path, *, force: bool = False) -> tuple[list[str], int]:
    """Copy all assets; return the names of those written, and how many were there already.

    Raises:
        UserError: Some would overwrite files that differ. Then nothing was written.
    """
    contents = {path.relative_to(root): path.read_bytes() for path in _files(root)}
    present = {name: (out / name).read_bytes() for name in contents if (out / name).is_file()}
    changed = [name for name, content in present.items() if content != contents[name]]
    if changed and not force:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UserError(
            f"{out / changed[0]}{more}: differs from what would be written; "
            "move it away, or add --force to overwrite it"
        )
    wanted = [name for name, content in contents.items() if present.get(name) != content]
    for name in wanted:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(contents[name])
    return [name.as_posix() for name in wanted], len(contents) - len(wanted)


def _files(root: Path) -> Iterator[Path]:
    # A checkout also has the code that builds the boards, and hidden files.
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            parts = path.relative_to(root).parts
            is_hidden = any(part.startswith((".", "__")) for part in parts)
            if path.is_file() and not is_hidden and path.suffix != ".py":
                yield path
