"""Cases of days that differ from those of last week."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .alert_cases import Case, CaseFile, series

BIKE = {"model": "bike", "version": "1"}
LAST_DAY = 8 * 24 * 60
EVEN, SHIFTED = (50, 50), (20, 80)


def days(
    *shares: tuple[int, tuple[int, int]], what: str = "feature", column: str = "temp"
) -> dict[str, str]:
    """Return the rows of two bins in two replicas, hour by hour: hours, and rows of each."""
    prefix = {"feature": "mlmon_feature", "output": "mlmon_prediction"}[what]
    found: dict[str, str] = {}
    for number in range(2):
        values, total = "", 0
        for hours, rows in shares:
            values += f"{total}+{rows[number]}x{hours - 1} "
            total += rows[number] * hours
        labels = {**BIKE, what: column, "kind": "numeric", "bin": f"{number:02d}"}
        found |= {
            series(f"{prefix}_bin_rows_total", instance=i, **labels): values.strip() for i in "ab"
        }
    return found


def _cases() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], value: str = "") -> Case:
        of = {"job": "models", **BIKE} if value else {}
        return Case("MlmonSuddenDrift", name, found, LAST_DAY + 26 * 60, of, value)

    week = 8 * 24
    yield case("fires: a feature moved a day ago", days((week, EVEN), (28, SHIFTED)), "1")
    yield case(
        "fires: so did an output",
        days((week, EVEN), (28, SHIFTED))
        | days((week, EVEN), (28, SHIFTED), what="output", column="cnt"),
        "2",
    )
    yield case("silent: nothing moved", days((week + 28, EVEN)))
    yield case("silent: it has been so for over a week", days((16, EVEN), (week + 12, SHIFTED)))
    yield case("silent: few rows", days((week, (5, 5)), (28, (2, 8))))
    yield case("silent: the version is new", days((3 * 24, EVEN), (28, SHIFTED)))
    yield case("silent: no rows since", days((week, EVEN), (28, (0, 0))))


PERIODS = CaseFile(
    ["optional/mlmon-periods.yml"], [*_cases()], every="1h", order=["periods-1d", "periods-alerts"]
)
