"""Promtool tests of the fleet rules; `python -m tests.assets.rules.fleet_cases` writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mlmon_exporter.assets.rules.all_scores import Plan, Window, all_groups
from mlmon_exporter.assets.rules.fleet import FILE, MOST_SUSPECTS, fleet_groups
from mlmon_exporter.assets.rules.rule_files import Group, Rule, Yaml, yaml_text

from .fleet_scores import BY_KIND, NAMES
from .fleet_traffic import NO_SERIES, Column, Replica

ALERTS = Path(__file__).parents[3] / "alerts"
ABOUT = """\
Made by `python -m tests.assets.rules.fleet_cases`, scores by NumPy and SciPy.
Run it with `promtool test rules` on any Prometheus since 2.42."""
TOLERANCES = {"js_distance": 1e-7, "hellinger_distance": 1e-7}


@dataclass(frozen=True)
class Case:
    """Traffic, and the minute at which its scores are compared."""

    name: str
    columns: Sequence[Column]
    at: int = 90
    windows: Sequence[str] = ("1h",)
    tolerances: Mapping[str, float] = field(default_factory=dict)


TEN = [*[500] * 10, 0]
"""Ten bins of equal rows; no row missing."""
EVEN = [*[10] * 10, 0]
UP = [4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0]
DOWN = [8, 12, 11, 10, 9, 8, 7, 6, 5, 4, 0]
COMPLEMENT = [16, 15, 14, 13, 12, 11, 10, 9, 8, 12, 0]
"""Together with UP, twenty rows in each bin."""
RARE = [3, 0, 7, NO_SERIES, 4, 8, 0]
COLOURS = ["red", 'say "blue"', "back\\slash", "grün", "03", "other", "unseen", "missing"]
COLOUR_ROWS = [2000, 1500, 700, 400, 300, 100, 0, 0]
CLASSES = ["no", "yes", "other", "unseen", "missing"]


def temp(*replicas: Replica) -> list[Column]:
    return [Column("temp", TEN, replicas)]


def gap_at(edge: int) -> Column:
    """Return a column whose greatest gap is at its last edge, where all changes add up."""
    rows = [*[11] * (edge + 1), 1, 0]
    reference = [*[100] * (edge + 2), 0]
    return Column(f"edge {edge}", reference, [Replica(rows)], model=f"edge {edge}")


HOUR_CASES = [
    Case("unchanged", temp(*[Replica([10.5, 9.5, 10.5, 9.5, *[10] * 6, 0])] * 2)),
    Case("shifted", temp(Replica(UP), Replica([0, 0, *[12] * 8, 3]))),
    Case("replicas are off, the fleet is not", temp(Replica(UP), Replica(COMPLEMENT))),
    Case(
        "a bin without rows, one without series, one that the reference lacks",
        [Column("temp", [900, 300, 600, 800, 0, 2000, 0], [Replica(RARE), Replica(RARE)])],
    ),
    Case("few rows", [Column("temp", [25, 25, 25, 25, 0], [Replica([1, 0, 0, 0, 0])])]),
    Case("a replica restarts twice", temp(Replica(UP, restarts=[50, 71]), Replica(DOWN))),
    Case("a replica starts late", temp(Replica(UP), Replica(DOWN, start=62))),
    Case("the scrape fails now, and did before", temp(Replica(UP, failed=[40, 41, 90]))),
    Case("one replica's scrape fails", temp(Replica(UP, failed=[70, 90]), Replica(DOWN))),
    Case("a replica leaves", temp(Replica(UP), Replica(DOWN, end=70))),
    Case(
        "values go missing: PSI sees it, KS compares what is there",
        [
            Column("temp", [*[300] * 6, 200], [Replica([5, 5, 6, 6, 7, 7, 60])]),
            Column("gone", [*[300] * 6, 200], [Replica([*[0] * 6, 60])]),
        ],
    ),
    Case(
        "many bins, and one",
        [
            *(gap_at(edge) for edge in (0, 4, 9, 19, 24, 37)),
            Column("fifty", [*[100] * 50, 3], [Replica([*[1] * 41, *[5] * 9, 1])], model="m"),
            Column("one", [400, 9], [Replica([9, 1])]),
        ],
    ),
    Case(
        "categories",
        [
            Column(
                "colour",
                COLOUR_ROWS,
                [Replica([20, 15, 7, 4, 3, 1, 0, 0]), Replica([10, 20, 7, 4, 9, 1, 2, 3])],
                COLOURS,
            ),
            *temp(Replica(UP), Replica(UP)),
        ],
    ),
    Case(
        "predictions",
        [
            Column("probability", TEN, [Replica(UP), Replica(EVEN)], side="output"),
            Column("class", [3000, 2000, 0, 0, 0], [Replica([6, 5, 0, 0, 0])], CLASSES, "output"),
        ],
    ),
    Case(
        "versions and jobs stay apart",
        [
            *temp(Replica(UP)),
            Column("temp", [*[700] * 10, 9], [Replica(DOWN)], version="2"),
            Column("temp", TEN, [Replica(EVEN)], job="canary"),
        ],
    ),
]
DAY_CASES = [
    Case(
        "a day, so far three hours: a replica, a feature and a bin are new",
        [
            *temp(Replica(UP), Replica(DOWN, start=100)),
            Column("new", TEN, [Replica(UP, start=130)]),
            Column(
                "rare",
                [2400, 2400, 200, 0],
                [Replica([5, 5, NO_SERIES, 0]), Replica([0, 0, 4, 0], start=150)],
            ),
            Column("probability", TEN, [Replica(UP)], side="output"),
            Column("colour", COLOUR_ROWS, [Replica([*range(8)], restarts=[77])], COLOURS),
        ],
        at=180,
        windows=["1h", "1d"],
    ),
    Case(
        "a day remembers what the hour forgot",
        temp(Replica(UP, quiet_after=60), Replica(DOWN, start=60), Replica(EVEN)),
        at=180,
        windows=["1h", "1d"],
        # Of rows that stop again, Prometheus 3 lacks half a minute: that of the first sample.
        tolerances={"rows": 2e-3, **dict.fromkeys(NAMES, 1e-3)},
    ),
]

SHORT_DAY = Plan(windows=(Window("2h", "5m", is_from_rate=True),))
"""A window like the day, short enough to be left behind in a test."""
SHORT_DAY_CASES = [
    Case(
        "a window forgets",
        temp(Replica([0, *[50] * 9, 0], quiet_after=60), Replica(UP)),
        at=200,
        windows=["2h"],
        # Prometheus 2 counts both ends of the window, Prometheus 3 one: a minute more or less.
        tolerances={"rows": 0.01, "psi": 1e-5, "psi_noise": 1e-4},
    ),
    Case(
        "a bin is new",
        [Column("rare", [3, 3, 1, 0], [Replica([5, 5, NO_SERIES, 0]), Replica([0, 0, 4, 0], 40)])],
        at=70,
        windows=["2h"],
    ),
]

STOPPED = Case("rows stopped an hour ago", temp(Replica(UP, quiet_after=20)))
UNSCORED = {
    STOPPED.name: (STOPPED, "nothing"),
    "no counters yet": (STOPPED, "bin_rows"),
    "no reference yet": (Case("", temp(Replica(UP))), "reference"),
}
"""What has no score -> the traffic, and what its replicas do not expose."""
CALM = replace(temp(Replica(UP))[0], own_psi=0.04)
UNSUSPECTED = {
    "no replica has moved": (Case("", [CALM]), "nothing"),
    "no replica has a threshold": (Case("", temp(Replica(UP))), "psi_threshold"),
}
"""The same, of the rules as they ship."""
SCORED = f'{{__name__=~".+_({"|".join(NAMES)}):.+"}}'


DEFAULT_SCORES = ("psi", "psi_noise")
"""Scores that are recorded if nothing else is asked for."""
ALL_GROUPS = all_groups()


def hour_test() -> str:
    """Return the test of the rules as they ship, which need a series of each bin."""
    cases = [case for case in HOUR_CASES if NO_SERIES not in _rows_of(case)]
    scored = [_test(case, DEFAULT_SCORES) for case in cases]
    limits = [_most_suspects(), _odd_replica()]
    return promtool_test([*scored, *_unscored(DEFAULT_SCORES), *limits], "30m")


def _odd_replica() -> dict[str, Yaml]:
    """Return the test of a replica with few rows that has all features moved but one."""
    odd = [Replica(UP, own_psi=0.0), Replica([0.1, *[0] * 10], own_psi=9.0)]
    columns = [replace(temp(*odd)[0], name=f"f{number:02d}") for number in range(MOST_SUSPECTS + 1)]
    drifted = temp(Replica(UP, own_psi=0.2), Replica([0.1, *[0] * 10], own_psi=0.0))[0]
    case = Case("an odd replica hides no drift of all rows", [*columns, drifted])
    expr = 'feature:mlmon_feature_psi:1h{feature="temp"} > bool 0'
    samples: list[Yaml] = [{"labels": drifted.labels, "value": 1}]
    check = {"expr": expr, "eval_time": f"{case.at}m", "exp_samples": samples}
    return _test_of(case.name, case, [check])


def _most_suspects() -> dict[str, Yaml]:
    """Return the test of a model with more suspects than are scored, the first the least."""
    column = temp(Replica(UP))[0]
    names = [f"f{number:02d}" for number in range(MOST_SUSPECTS + 1)]
    case = Case(
        "of many features that drift, those are scored that do so the most",
        [replace(column, name=name, own_psi=0.2 + n / 100) for n, name in enumerate(names)],
    )
    wanted = [replace(column, name=name).labels for name in names[1:]]
    samples: list[Yaml] = [{"labels": labels, "value": 1} for labels in wanted]
    expr = "feature:mlmon_feature_psi:1h > bool 0"
    return _test_of(
        case.name, case, [{"expr": expr, "eval_time": f"{case.at}m", "exp_samples": samples}]
    )


TEST_FILES = {"mlmon-fleet-hour_test.yml": hour_test}
"""Name in `alerts/tests` -> the function that makes it."""


def all_hour_test(rules: str) -> str:
    # Scores of an hour are made from counters: earlier evaluations do not matter.
    tests = [*map(_test, HOUR_CASES), *_unscored(NAMES)]
    return promtool_test(tests, "30m", rules, ALL_GROUPS)


def day_test(rules: str) -> str:
    return promtool_test([*map(_test, DAY_CASES)], "1m", rules, ALL_GROUPS)


def short_day_test(rules: str) -> str:
    tests = [*map(_test, SHORT_DAY_CASES)]
    return promtool_test(tests, "1m", rules, all_groups(SHORT_DAY))


def promtool_test(
    tests: Sequence[Yaml],
    every: str,
    rules: str = f"../{FILE}",
    groups: Sequence[Group[Rule]] = tuple(fleet_groups()),
) -> str:
    """Return a test file of rules that are evaluated so often, in the order of their groups."""
    return yaml_text(
        {
            "rule_files": [rules],
            "evaluation_interval": every,
            "group_eval_order": [group.name for group in groups],
            "tests": tests,
        },
        ABOUT,
    )


def _rows_of(case: Case) -> Sequence[float]:
    return [rows for c in case.columns for replica in c.replicas for rows in replica.rows]


def _unscored(names: Sequence[str]) -> Sequence[Yaml]:
    found = UNSCORED | ({} if names == NAMES else UNSUSPECTED)
    return [_unscored_test(name, *traffic, names) for name, traffic in found.items()]


def _test(case: Case, names: Sequence[str] = NAMES) -> dict[str, Yaml]:
    return _test_of(case.name, case, _checks(case, names))


def _unscored_test(name: str, case: Case, hidden: str, names: Sequence[str]) -> dict[str, Yaml]:
    checks: list[Yaml] = [{"expr": SCORED, "eval_time": f"{case.at}m", "exp_samples": []}]
    if names == NAMES and hidden != "reference":
        checks.append(_check(case.columns[0], "rows:1h", 0.0, 0.0, case.at))
    return _test_of(name, case, checks, hidden)


def _test_of(
    name: str, case: Case, checks: Iterable[Yaml], hidden: str = "nothing"
) -> dict[str, Yaml]:
    series = dict(pair for column in case.columns for pair in column.series(case.at))
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": series_name, "values": values}
            for series_name, values in series.items()
            if hidden not in series_name
        ],
        "promql_expr_test": [*checks],
    }


def _checks(case: Case, names: Sequence[str]) -> Iterator[dict[str, Yaml]]:
    for column in case.columns:
        for window in case.windows:
            current = column.current(window, case.at)
            values = {"rows": float(current.sum())}
            for name in names:
                score = BY_KIND[column.kind].get(name)
                values[name] = np.nan
                if score is not None:
                    values[name] = score(np.asarray(column.reference, dtype=float), current)
            for name, value in values.items():
                tolerance = case.tolerances.get(name, TOLERANCES.get(name, 1e-9))
                yield _check(column, f"{name}:{window}", value, tolerance, case.at)


def _check(column: Column, name: str, value: float, tolerance: float, at: int) -> dict[str, Yaml]:
    series = f"{column.side}:{column.prefix}_{name}{column.labels}"
    if np.isnan(value):
        return {"expr": series, "eval_time": f"{at}m", "exp_samples": []}
    return {
        "expr": f"abs({series} - {value:.13g}) <= bool {tolerance * max(1.0, value):.2g}",
        "eval_time": f"{at}m",
        "exp_samples": [{"labels": column.labels, "value": 1}],
    }


if __name__ == "__main__":
    for name, make in TEST_FILES.items():
        (ALERTS / "tests" / name).write_text(make(), encoding="utf-8")
