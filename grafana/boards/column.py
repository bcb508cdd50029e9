"""What is shown of one column, a feature or an output: its scores, distribution and bad rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from grafana_foundation_sdk.models.dashboard import Panel

from mlmon_exporter.core.readings import FEATURES, OUTPUTS, Role

from .board import Line
from .panels import Axis, bars, heat, quantity, series
from .promql import MODEL, RECORDED_MODEL, WINDOW, either, greatest, quotient, rate
from .queries import Query
from .tables import OVER

SCORES = {
    "PSI": ("psi", "psi_threshold"),
    "KS": ("ks_statistic", "ks_threshold"),
    "missing": ("missing_ratio", "missing_threshold"),
    "unseen": ("unseen_ratio", "unseen_threshold"),
    "tail": ("tail_ratio", "tail_threshold"),
}
"""The scores that decide, and what they are compared with."""
UNDER = "The dashed line is what it stays under while the {} is unchanged."
NOT_A_NUMBER = "Only numbers have this"
TOO_FEW = "Too few rows"


class Column(NamedTuple):
    """A side of a model, and how a board picks one of its columns."""

    role: Role
    word: str

    @property
    def prefix(self) -> str:
        return self.role.prefix

    @property
    def label(self) -> str:
        return self.role.label

    @property
    def picked(self) -> str:
        """The matcher of the column that the board shows."""
        return f'{self.label}="${self.label}"'


FEATURE, OUTPUT = Column(FEATURES, "feature"), Column(OUTPUTS, "prediction")


def over_threshold(column: Column, where: str, by: str) -> str:
    """Return how many times its threshold the worst score of a column is; drifted is over 1."""
    parts = []
    for name, (score, threshold) in SCORES.items():
        both = f"{where}, {WINDOW}"
        share = f"{column.prefix}_{score}{{{both}}} / {column.prefix}_{threshold}{{{both}}}"
        parts.append(f'label_replace({share}, "score", "{name}", "", "")')
    return f"max by ({by}) (\n  " + "\n  or\n  ".join(parts) + "\n)"


def lines(column: Column) -> list[Line]:
    """Return all panels of one column, the most telling ones first."""
    return [
        Line(4, list(_numbers(column))),
        Line(10, [_distribution(column), _worst(column)]),
        Line(8, [_psi(column), _fleet(column), _gap(column)]),
        Line(8, [_missing(column), _rare(column), _bad_rows(column)]),
        Line(8, [_shares(column), _other_scores(column)]),
        Line(8, [_values(column), _quantiles(column)]),
    ]


def _where(column: Column) -> str:
    return f"{MODEL}, {column.picked}"


def _of_all(part: str, whole: str) -> str:
    """Return the share of each bin; absent where there are no rows."""
    return f"{part}\n/ on () group_left ()\n({whole} > 0)"


def _windowed(column: Column, metric: str, by: str = "version") -> str:
    return greatest(f"{column.prefix}_{metric}", f"{_where(column)}, {WINDOW}", by)


def _numbers(column: Column) -> Iterator[Panel]:
    word = column.word
    yield quantity(
        "Drift",
        f"The worst score of the {word} in the window, divided by the threshold that unchanged "
        "traffic stays under. Over 1 it has drifted.",
        "none",
        Query(over_threshold(column, _where(column), "version"), "{{version}}"),
        steps=OVER,
        decimals=2,
    )
    yield quantity(
        "Drifted",
        f"1 if some score of the {word} is over its threshold, else 0.",
        "none",
        Query(_windowed(column, "drifted"), "{{version}}"),
        steps=[(1, "red")],
    )
    yield quantity(
        "Rows in the window",
        "Rows that the scores are made of, of the replica that has most. Few rows make high "
        "thresholds.",
        "short",
        Query(_windowed(column, "window_rows"), "{{version}}"),
    )
    yield quantity(
        "Missing",
        f"Share of the window's rows without a usable value of the {word}.",
        "percentunit",
        Query(_windowed(column, "missing_ratio"), "{{version}}"),
    )


def _distribution(column: Column) -> Panel:
    prefix, label = column.prefix, column.label
    where = _where(column)
    rows = f"increase({prefix}_bin_rows_total{{{where}}}[$window])"
    share = _of_all(f"sum by (bin) ({rows})", f"sum ({rows})")
    reference = f"avg by (bin) ({prefix}_reference_ratio{{{where}}})"
    return bars(
        f"${label}: reference against the window",
        "Share of rows in each bin: of the reference, and of all replicas' rows in the window. "
        "Bins are ten of about equal size; a value that is frequent has its own; missing values "
        "and unseen categories have theirs. Choose one version where they have two references.",
        "percentunit",
        {"Reference": _with_interval(column, reference), "Window": _with_interval(column, share)},
        order="bin",
        names="interval",
    )


def _with_interval(column: Column, of_bins: str) -> str:
    """Return an expression by `bin` with what each bin covers in the label `interval`."""
    info = f"group by (bin, interval) ({column.prefix}_bin_info{{{_where(column)}}})"
    # Versions with two references have two intervals for a bin, which cannot both be joined.
    return f"({of_bins})\n* on (bin) group_left (interval) topk by (bin) (1, {info})"


def _worst(column: Column) -> Panel:
    queries = [
        Query(
            quotient(_windowed(column, score), _windowed(column, threshold)),
            f"{name} {{{{version}}}}",
        )
        for name, (score, threshold) in SCORES.items()
    ]
    return series(
        "Each score, divided by its threshold",
        "Scores divided by their thresholds, so that all fit one axis: what is over the dashed "
        "line has drifted, and which one says how: PSI and KS the shape, missing, unseen and tail "
        "the share of such rows.",
        "none",
        *queries,
        axis=Axis(limit=1, bend=1),
    )


def _psi(column: Column) -> Panel:
    return series(
        "PSI",
        "Population stability index, nats: how far the shares of bins moved. "
        f"{UNDER.format(column.word)}",
        "none",
        *_against(column, "PSI", "PSI"),
        none=TOO_FEW,
    )


def _gap(column: Column) -> Panel:
    return series(
        "Greatest gap",
        "Of a number, the greatest gap between the cumulative distributions (KS); of a category, "
        f"the greatest change of a share, which has no threshold. {UNDER.format(column.word)}",
        "none",
        *_against(column, "KS", "KS"),
        Query(_windowed(column, "l_infinity"), "greatest gap of a category {{version}}"),
        none=TOO_FEW,
    )


def _missing(column: Column) -> Panel:
    return series(
        "Missing values",
        f"Share of rows without a usable value. {UNDER.format(column.word)}",
        "percentunit",
        *_against(column, "missing", "missing"),
        none=TOO_FEW,
    )


def _rare(column: Column) -> Panel:
    return series(
        "Values that are rare or new",
        "Of a number, the share of rows beyond the reference's 0.1 and 99.9 percentiles; of a "
        "category, the share of those that the reference never had. "
        f"{UNDER.format(column.word)}",
        "percentunit",
        *_against(column, "tail", "tail"),
        *_against(column, "unseen", "unseen"),
        none=TOO_FEW,
    )


def _against(column: Column, name: str, legend: str) -> list[Query]:
    score, threshold = SCORES[name]
    return [
        Query(_windowed(column, score), f"{legend} {{{{version}}}}"),
        Query(_windowed(column, threshold), f"{legend} {{{{version}}}} threshold"),
    ]


def _fleet(column: Column) -> Panel:
    where, prefix = f"{RECORDED_MODEL}, {column.picked}", column.prefix
    by = f"job, model, version, {column.label}"
    recorded = f"{column.label}:{prefix}_psi:1h{{{where}}}"
    noise = f"{column.label}:{prefix}_psi_noise:1h{{{where}}}"
    shown = f"{_where(column)}, {WINDOW}"
    return series(
        "PSI over all replicas",
        "PSI of the rows of all replicas together in the last hour, by the recording rules, and "
        "what chance alone reaches in one window of a thousand. Without the rules: of the replica "
        "that drifted most.",
        "none",
        Query(either(recorded, greatest(f"{prefix}_psi", shown, by)), "PSI {{version}}"),
        Query(either(noise, greatest(f"{prefix}_psi_threshold", shown, by)), "noise {{version}}"),
    )


def _shares(column: Column) -> Panel:
    rows, where = f"{column.prefix}_bin_rows_total", _where(column)
    share = _of_all(rate(rows, where, "bin"), rate(rows, where))
    return series(
        "Shares of bins over time",
        "Share of rows in each bin. Bands that widen or vanish show what changed, and when.",
        "percentunit",
        Query(_with_interval(column, share), "{{interval}}"),
        axis=Axis(most=1, is_stacked=True),
    )


def _quantiles(column: Column) -> Panel:
    return series(
        "Quantiles",
        f"Values of the {column.word} at quantiles of the window, from its t-digest.",
        "short",
        Query(_windowed(column, "quantile", "version, quantile"), "{{quantile}} {{version}}"),
        axis=Axis(least=None),
        none=NOT_A_NUMBER,
    )


def _values(column: Column) -> Panel:
    buckets = rate(f"{column.prefix}_value_bucket", _where(column), "le")
    return heat(
        "Values over time",
        f"Rows a second whose {column.word} is in each bin of the reference: up to the bound that "
        "is shown.",
        "short",
        buckets,
        NOT_A_NUMBER,
    )


def _other_scores(column: Column) -> Panel:
    scores = {
        "Jensen-Shannon distance": "js_distance",
        "Wasserstein, in reference sd": "wasserstein_ratio",
    }
    return series(
        "Scores that do not decide",
        "Other measures of the same change, to compare with other tools: no threshold, no alert.",
        "none",
        *(
            Query(_windowed(column, score), f"{name} {{{{version}}}}")
            for name, score in scores.items()
        ),
    )


def _bad_rows(column: Column) -> Panel:
    kinds: Sequence[str] = ("missing", "invalid", "unseen", "out_of_range")
    return series(
        "Rows with a fault",
        f"Rows a second whose {column.word} is missing, is not of its kind (text for a number), "
        "is a category never seen, or lies beyond the reference's least and greatest value.",
        "rowsps",
        *(
            Query(rate(f"{column.prefix}_{kind}_total", _where(column)), kind.replace("_", " "))
            for kind in kinds
        ),
        axis=Axis(least_top=1),
    )
