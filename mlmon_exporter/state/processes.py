"""The processes of a host, as the store last had them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlmon_exporter.core.counts.processes import CPU, CpuTime, Process, process_readings
from mlmon_exporter.core.records import Readings

from .values import read, read_worker

ALIVE_SECONDS = 15.0


class Processes:
    """Processes seen in the last `alive_seconds`, and CPU time of all. Its owner locks."""

    def __init__(self, flush_seconds: float) -> None:
        self.alive_seconds = max(ALIVE_SECONDS, 3 * flush_seconds)
        self.cpu = CpuTime()
        self.last_seen = 0.0
        """Unix seconds when one last wrote; 0 if none did."""
        self._seen: dict[str, tuple[float, Process]] = {}

    def read_cpu(self, key: str, data: bytes) -> None:
        """Read the CPU time of all; raises UnreadableError if damaged."""
        self.cpu = read(self.cpu, key, data)

    def read_worker(self, key: str, data: bytes) -> None:
        """Read the facts about one; raises UnreadableError if damaged."""
        seen, _ = self._seen[key] = read_worker(data)
        self.last_seen = max(self.last_seen, seen)

    def readings(
        self, now: float, routes: Iterable[tuple[str, ...]], own: Process | None, cpu_added: float
    ) -> Iterator[Readings]:
        """Give the numbers of all that are alive at `now`, Unix seconds.

        Args:
            now: Unix seconds.
            routes: As for `process_readings`.
            own: This process where it alone is known to live, since none can write.
            cpu_added: CPU seconds of this process that are in the sum of all.
        """
        self._seen = {
            name: (seen, process)
            for name, (seen, process) in self._seen.items()
            if abs(now - seen) < self.alive_seconds
        }
        alive, cpu = [process for _, process in self._seen.values()], self.cpu.seconds
        if own is not None:
            alive, cpu = [own], cpu + own.numbers.get(CPU, 0.0) - cpu_added
        return process_readings(alive, cpu, routes)
