"""Scores in PromQL, over recorded series that have one sample for each bin of a column.

Arguments are the names of such series: rows or shares in bins, and for a column its rows, and the
number of its bins.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlmon_exporter.core.profile.bins import BINS, MISSING, OWN_BIN_SHARE

from .settings import VERSION

MOST_BINS = BINS + 2 * round(1 / OWN_BIN_SHARE)
"""No numeric column has more: ten of equal rows, and two edges for each value with its own."""
NOISE_Z = 3.0902
"""Normal quantile of the chance level: one unchanged window in a thousand has more."""

# Recorded series have no labels but those that rules name, so the short `without (kind, bin)` is
# `by` all others, and keeps what a ruler adds.
OF_BINS = "without (kind, bin, part)"
SUM = f"sum {OF_BINS}"
RECENT = "5m"
PER_COLUMN = "ignoring (kind, bin) group_left ()"


def recent(series: str, span: str = RECENT) -> str:
    """Return the last value of each series in a span, though a scrape has failed since."""
    return f"last_over_time({series}[{span}])"


PER_MODEL = f"on ({VERSION}) group_left ()"
REFERENCE_ROWS = f"avg by ({VERSION}) ({recent('mlmon_reference_rows')})"


def half_added(reference: str, of_model: str = PER_MODEL) -> str:
    """Return a reference's rows in bins, half a row added to each, from their shares."""
    return f"{reference} * {of_model} {REFERENCE_ROWS} + 0.5"


def psi(in_bins: str, rows: str, reference: str, bins: str) -> str:
    """Return the population stability index.

    With c and r rows in a bin, half a row added, and C and R their sums, it is the sum of
    (c/C - r/R) ln((c/C) / (r/R)). The constant ln(C/R) drops out, since shares add up to 1, so that
    the sums of c ln(c/r) and of r ln(c/r) are enough: a third of the work where bins are many.

    Args:
        in_bins: Rows in each bin.
        rows: Their sums.
        reference: Rows of the reference in each bin, half a row added to each.
        bins: The number of bins.
    """
    current, halves = f"({in_bins} + 0.5)", f"0.5 * {bins}"
    change = f"ln({current} / {reference})"
    return f"""\
{SUM} ({current} * {change})
/ (({rows} > 0) + {halves})
-
{SUM} ({reference} * {change})
/ ({halves} + {PER_MODEL} {REFERENCE_ROWS})"""


def noise(rows: str, bins: str) -> str:
    """Return what PSI exceeds by chance alone once in a thousand windows."""
    freedom = f"({bins} - 1)"
    return f"""\
({freedom} > 0)
* (1 - 2 / (9 * {freedom}) + {NOISE_Z} * sqrt(2 / (9 * {freedom}))) ^ 3
* (1 / ({rows} > 0) + {PER_MODEL} 1 / {REFERENCE_ROWS})"""


def js_distance(share: str, reference: str) -> str:
    """Return the Jensen-Shannon distance, base 2."""
    terms = (
        f"""\
  {of} * log2(
    clamp_min({of}, 1e-12)
    / clamp_min(({share} + {reference}) / 2, 1e-12)
  )"""
        for of in (share, reference)
    )
    return f"sqrt(clamp_min(0.5 * {SUM} (\n" + "\n  +\n".join(terms) + "\n), 0))"


def value_change(share: str, reference: str) -> str:
    """Return how the share of each numeric bin changed, of the rows with a value."""
    current, before = (
        f'{of}{{kind="numeric",bin!="{MISSING}"}}\n  / {PER_COLUMN}\n'
        f'  ({SUM} ({of}{{kind="numeric",bin!="{MISSING}"}}) > 0)'
        for of in (share, reference)
    )
    return f"""\
label_replace(
  {current}
  -
  {before},
  "ten", "$1", "bin", "(.)."
)"""


def ks_statistic(change: str) -> str:
    """Return max |sum of the changes up to an edge|: those of its ten, and of all tens before.

    PromQL has no running sum. Labels `ten` and `unit` tell the sums of one column apart.
    """
    units = (f'{change}{{bin=~".[0-{unit}]"}}' for unit in range(10))
    of_units = [
        f'label_replace({SUM} ({upto}), "unit", "{n}", "", "")' for n, upto in enumerate(units)
    ]
    tens = (f'{change}{{ten=~"[0-{ten - 1}]"}}' for ten in range(1, -(-MOST_BINS // 10)))
    of_tens = [f'0 * {SUM} ({change}{{ten="0"}})'] + [
        f'label_replace(sum without (kind, bin, ten) ({before}), "ten", "{n}", "", "")'
        for n, before in enumerate(tens, start=1)
    ]
    return "\n".join(
        (
            "max without (ten, unit) (abs(",
            _any_of(of_units),
            "  + ignoring (unit) group_left ()",
            _any_of(of_tens),
            "))",
        )
    )


def _any_of(vectors: Sequence[str]) -> str:
    return "  (\n    " + "\n    or ".join(vectors) + "\n  )"
