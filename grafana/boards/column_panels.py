"""What is shown of one column, a feature or an output: its scores, distribution and bad rows."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Panel

from .board import Line
from .column import SCORES, Side, over_threshold, where_of, windowed
from .panels import Axis, bars, heat, quantity, series
from .promql import (
    BY_PLACE,
    RECORDED_MODEL,
    VERSION,
    WINDOW,
    either,
    greatest,
    of_all,
    over_all,
    quotient,
    rate,
)
from .queries import Query
from .tables import OVER

UNDER = "The dashed line is what it stays under while the {} is unchanged."
NOT_A_NUMBER = "Only numbers have this"
TOO_FEW = "Too few rows"
BINS = f"{BY_PLACE}, bin"
NEEDS_FULL = "Needs detail = full"


def lines(side: Side) -> list[Line]:
    """Return all panels of one column, the most telling ones first."""
    return [
        *of_derived(side),
        Line(8, [_missing(side), _rare(side), _bad_rows(side)]),
        Line(8, [_shares(side)]),
        Line(8, [_values(side), _quantiles(side)]),
    ]


def of_derived(side: Side) -> list[Line]:
    """Return the panels of a column that is derived: no value of it comes from outside."""
    return [
        Line(4, list(_numbers(side))),
        Line(10, [_distribution(side), _worst(side)]),
        Line(8, [_psi(side), _fleet(side), _gap(side)]),
    ]


def _numbers(side: Side) -> Iterator[Panel]:
    word = side.word
    yield quantity(
        "Drift",
        f"The worst score of the {word} in the window, divided by the threshold that unchanged "
        "traffic stays under. Over 1 it has drifted.",
        "none",
        Query(over_threshold(side, where_of(side), "version"), "{{version}}"),
        steps=OVER,
        decimals=2,
    )
    yield quantity(
        "Drifted",
        f"Whether some score of the {word} is over its threshold.",
        "bool_yes_no",
        Query(windowed(side, "drifted"), "{{version}}"),
        steps=[(1, "red")],
    )
    yield quantity(
        "Rows in the window",
        "Rows that the scores are made of, of the replica that has most. Few rows make high "
        "thresholds.",
        "short",
        Query(windowed(side, "window_rows"), "{{version}}"),
    )
    yield quantity(
        "Missing",
        f"Share of the window's rows without a usable value of the {word}.",
        "percentunit",
        Query(windowed(side, "missing_ratio"), "{{version}}"),
    )


def _distribution(side: Side) -> Panel:
    prefix, label = side.prefix, side.label
    where = where_of(side)
    rows = f"increase({prefix}_bin_rows_total{{{where}}}[$window])"
    share = of_all(f"sum by ({BINS}) ({rows})", f"sum by ({BY_PLACE}) ({rows})")
    reference = f"avg by ({BINS}) ({prefix}_reference_ratio{{{where}}})"
    return bars(
        f"${label}: reference against the window",
        "Share of rows in each bin: of the reference, and of all replicas' rows in the window. "
        "Bins are ten of about equal size; a value that is frequent has its own; missing values "
        "and unseen categories have theirs. Choose one version where they have two references.",
        "percentunit",
        {"Reference": _with_interval(side, reference), "Window": _with_interval(side, share)},
        order="bin",
        names="interval",
    )


def _with_interval(side: Side, of_bins: str, by: str = BINS) -> str:
    """Return an expression by `bin` with what each bin covers in the label `interval`."""
    info = f"group by ({by}, interval) ({side.prefix}_reference_ratio{{{where_of(side)}}})"
    # Versions with two references have two intervals for a bin, which cannot both be joined.
    return f"({of_bins})\n* on ({by}) group_left (interval) topk by ({by}) (1, {info})"


def _worst(side: Side) -> Panel:
    queries = [
        Query(
            quotient(windowed(side, score), windowed(side, threshold)),
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


def _psi(side: Side) -> Panel:
    return series(
        "PSI",
        "Population stability index, nats: how far the shares of bins moved. "
        f"{UNDER.format(side.word)}",
        "none",
        *_against(side, "PSI", "PSI"),
        none=TOO_FEW,
    )


def _gap(side: Side) -> Panel:
    return series(
        "Greatest gap",
        "Of a number, the greatest gap between the cumulative distributions (KS); of a category, "
        f"the greatest change of a share, which has no threshold. {UNDER.format(side.word)}",
        "none",
        *_against(side, "KS", "KS"),
        Query(windowed(side, "l_infinity"), "greatest gap of a category {{version}}"),
        none=NOT_A_NUMBER,
    )


def _missing(side: Side) -> Panel:
    return series(
        "Missing values",
        f"Share of rows without a usable value. {UNDER.format(side.word)}",
        "percentunit",
        *_against(side, "missing", "missing"),
        none=TOO_FEW,
    )


def _rare(side: Side) -> Panel:
    return series(
        "Values that are rare or new",
        "Of a number, the share of rows beyond the reference's 0.1 and 99.9 percentiles; of a "
        "category, the share of those that the reference never had. "
        f"{UNDER.format(side.word)}",
        "percentunit",
        *_against(side, "tail", "tail"),
        *_against(side, "unseen", "unseen"),
        none=TOO_FEW,
    )


def _against(side: Side, name: str, legend: str) -> list[Query]:
    score, threshold = SCORES[name]
    return [
        Query(windowed(side, score), f"{legend} {{{{version}}}}"),
        Query(windowed(side, threshold), f"{legend} {{{{version}}}} threshold"),
    ]


def _fleet(side: Side) -> Panel:
    where, prefix = f"{RECORDED_MODEL}, {side.picked}", side.prefix
    by = f"{BY_PLACE}, model, version, {side.label}"
    recorded = greatest(f"{side.label}:{prefix}_psi:1h", where, by)
    noise = greatest(f"{side.label}:{prefix}_psi_noise:1h", where, by)
    shown = f"{where_of(side)}, {WINDOW}"
    return series(
        "PSI over all replicas",
        "PSI of the rows of all replicas together in the last hour, by the recording rules, and "
        "what chance alone reaches in one window of a thousand. Without the rules: of the replica "
        "that drifted most.",
        "none",
        Query(either(recorded, greatest(f"{prefix}_psi", shown, by)), "PSI {{version}}"),
        Query(either(noise, greatest(f"{prefix}_psi_threshold", shown, by)), "noise {{version}}"),
    )


def _shares(side: Side) -> Panel:
    rows, where = f"{side.prefix}_bin_rows_total", where_of(side)
    share = of_all(over_all(rows, where, "bin"), over_all(rows, where))
    return series(
        "Shares of bins over time",
        "Share of rows in each bin. Bands that widen or vanish show what changed, and when.",
        "percentunit",
        Query(_with_interval(side, share, "bin"), "{{interval}}"),
        axis=Axis(most=1, is_stacked=True),
    )


def _quantiles(side: Side) -> Panel:
    return series(
        "Quantiles",
        f"Values of the {side.word} at quantiles of the window, from its t-digest; where `detail` "
        "is not full, from its histogram, interpolated between the reference's bin edges.",
        "short",
        Query(windowed(side, "quantile", "version, quantile"), "{{quantile}} {{version}}"),
        *(Query(_by_histogram(side, q), f"{q} {{{{version}}}}") for q in (0.25, 0.5, 0.75)),
        axis=Axis(least=None),
        none=NOT_A_NUMBER,
    )


def _by_histogram(side: Side, share: float) -> str:
    buckets = rate(f"{side.prefix}_value_bucket", where_of(side), "version, le")
    shown = windowed(side, "quantile")
    return f"histogram_quantile({share}, {buckets})\nunless on ({VERSION}) {shown}"


def _values(side: Side) -> Panel:
    buckets = rate(f"{side.prefix}_value_bucket", where_of(side), "le")
    return heat(
        "Values over time",
        f"Rows a second whose {side.word} is in each bin of the reference: up to the bound that "
        "is shown.",
        "short",
        buckets,
        NOT_A_NUMBER,
    )


def other_scores(side: Side) -> Line:
    """Return scores without a threshold, which `detail` shows or hides."""
    scores = {
        "Jensen-Shannon distance": "js_distance",
        "Wasserstein, in reference sd": "wasserstein_ratio",
    }
    panel = series(
        "Scores that do not decide",
        "Other measures of the same change, to compare with other tools: no threshold, no alert. "
        'Shown with `detail = "full"`.',
        "none",
        *(
            Query(windowed(side, score), f"{name} {{{{version}}}}")
            for name, score in scores.items()
        ),
        none=NEEDS_FULL,
    )
    return Line(8, [panel])


def _bad_rows(side: Side) -> Panel:
    where, rows = where_of(side), f"{side.prefix}_bin_rows_total"
    return series(
        "Rows with a fault",
        f"Rows a second whose {side.word} is missing, is a category never seen, or is not of its "
        'kind (text for a number), which counts as missing too. With `detail = "full"` also of '
        "those beyond the reference's least and greatest value.",
        "rowsps",
        Query(rate(rows, f'{where}, bin="missing"', BY_PLACE), "missing"),
        Query(rate(rows, f'{where}, bin="unseen"', BY_PLACE), "unseen"),
        *(
            Query(rate(f"{side.prefix}_{kind}_total", where, BY_PLACE), kind.replace("_", " "))
            for kind in ("invalid", "out_of_range")
        ),
        axis=Axis(least_top=1),
    )
