"""The rooms of the package and what each imports: `python -m tests.rooms` prints them.

A room is a folder of `mlmon_exporter`, a folder of `core`, or a file beside them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "mlmon_exporter"
Graph = Mapping[str, frozenset[str]]
"""Each node -> the nodes that it imports."""


def imported_modules(package: Path, path: Path, tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Give the absolute name of each module that a file imports, and whether within a function.

    `from .a import b` gives `package.a.b` where that is a module, and `package.a` elsewhere. What
    is imported for types only counts as well: a reader follows it, too.
    """
    here = [package.name, *path.relative_to(package).parts[:-1]]
    for node, is_lazy in import_statements(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, is_lazy) for alias in node.names)
            continue
        base = here[: len(here) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{module}.{alias.name}"
            is_inner = module == "urllib" or is_module(package, inner)
            yield (inner if is_inner else module), is_lazy


def import_statements(
    node: ast.AST, is_lazy: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Give each import of a tree, and whether it is within a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, is_lazy
        elif not isinstance(child, ast.expr):  # most of a tree, and no import is in one
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from import_statements(child, is_lazy or is_function)


def is_module(package: Path, name: str) -> bool:
    """Return whether a dotted name is a module or a folder of the package."""
    parts = name.split(".")
    path = package.joinpath(*parts[1:])
    is_ours = parts[0] == package.name and len(parts) > 1
    return is_ours and (path.is_dir() or path.with_suffix(".py").is_file())


def room_of(name: str) -> str:
    """Return the room of a module, such as `core.stats` for `mlmon_exporter.core.stats.roc`."""
    parts = name.split(".")[1:]
    return ".".join(parts[: 2 if parts[:1] == ["core"] else 1]) or "__init__"


def module_name(package: Path, path: Path) -> str:
    """Return the dotted name of a file."""
    parts = [package.name, *path.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def module_graph(package: Path = PACKAGE) -> Graph:
    """Return what each module imports of the package, imports within functions left out."""
    graph = {}
    for path in sorted(package.rglob("*.py")):
        found = imported_modules(package, path, ast.parse(path.read_text(encoding="utf-8")))
        name = module_name(package, path)
        graph[name] = frozenset(m for m, lazy in found if not lazy and is_module(package, m)) - {
            name
        }
    return graph


def room_graph(modules: Graph) -> Graph:
    """Return what each room imports of other rooms."""
    rooms: dict[str, set[str]] = {}
    for name, imported in modules.items():
        room = room_of(name)
        rooms.setdefault(room, set()).update(room_of(other) for other in imported)
    return {room: frozenset(others - {room}) for room, others in rooms.items()}


def house_graph(rooms: Graph) -> Graph:
    """Return the graph of rooms with the rooms of `core` taken as one."""
    house: dict[str, set[str]] = {}
    for room, others in rooms.items():
        house.setdefault(room.split(".")[0], set()).update(o.split(".")[0] for o in others)
    return {room: frozenset(others - {room}) for room, others in house.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach each other."""
    reach = {node: set(others) for node, others in graph.items()}
    for middle, beyond in reach.items():
        for found in reach.values():
            if middle in found:
                found.update(beyond)
    groups = {
        tuple(sorted(other for other in reach[node] if node in reach.get(other, ())))
        for node in reach
        if node in reach[node]
    }
    return [list(group) for group in sorted(groups)]


def floors(graph: Graph) -> dict[str, int]:
    """Return each node's floor: 1 where it imports nothing, else one above all that it imports.

    The graph has no circle.
    """
    found: dict[str, int] = {}

    def floor(node: str) -> int:
        if node not in found:
            found[node] = 1 + max(map(floor, graph.get(node, ())), default=0)
        return found[node]

    return {node: floor(node) for node in graph}


def main() -> None:
    """Print the rooms of the house and of its core by floor, and how many arrows there are."""
    rooms = room_graph(module_graph())
    for circle in circles(rooms):
        print("circle:", ", ".join(circle))
    if not circles(rooms):
        of_core = {room: others for room, others in rooms.items() if room.startswith("core.")}
        for graph in (house_graph(rooms), of_core):
            by_floor = sorted(floors(graph).items(), key=lambda item: (-item[1], item[0]))
            for room, floor in by_floor:
                print(f"floor {floor}  {room:16} -> {' '.join(sorted(graph[room]))}")
            print(f"{len(graph)} rooms, {sum(map(len, graph.values()))} arrows\n")


if __name__ == "__main__":
    main()
