"""What still runs."""

from __future__ import annotations

from pathlib import Path


def processes_of(folder: Path) -> list[str]:
    """Command lines of this machine's processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended
            continue
        if str(folder) in command:
            found.append(command)
    return found
