"""Rows of the quality board: how good predictions were, against the reference and each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.models.dashboard import Panel

from mlmon_exporter.core.outcomes.quality import QUALITY

from .board import Line, Row
from .panels import Axis, quantity, series
from .promql import MODEL, by_place, greatest, least, total
from .queries import Query
from .tables import OVER

ALL_ROWS = 'segment_feature=""'
DECIDING = [name for name, quality in QUALITY.items() if quality.error is not None]
"""The qualities that have thresholds."""
NAMES = {
    "roc_auc": "area",
    "f1": "F1",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "mape": "MAPE",
}
NO_OUTCOMES = "Needs ground truth"
NO_CLASSES = "Needs ground truth of a classification"
NO_QUALITY = "Needs ground truth{}"
NO_ESTIMATE = "Needs ground truth in the reference"
NO_DIFFERENCE = "Needs ground truth of a second version{}"
BESIDE = "The dotted line is the reference's, the dashed one what chance alone brings at worst."


def over_threshold(where: str, by: str) -> str:
    """Return how far the worst quality is: 0 is perfect, over 1 is worse than its threshold.

    Of what is best at 1, the gap to 1 is divided by that of the threshold.
    """
    parts = []
    for name in DECIDING:
        quality, bar = (f"mlmon_quality_{name}{what}{{{where}}}" for what in ("", "_threshold"))
        share = f"{quality} / {bar}" if _is_loss(name) else f"(1 - {quality}) / (1 - {bar})"
        parts.append(f'label_replace({share}, "quality", "{name}", "", "")')
    return f"max by ({by_place(by)}) (\n  " + "\n  or\n  ".join(parts) + "\n)"


def worst(prefix: str, name: str, where: str, by: str = "version") -> str:
    """Return a quality of the replica that is worst."""
    of = greatest if _is_loss(name) else least
    return of(f"mlmon_{prefix}_{name}", where, by)


def _is_loss(name: str) -> bool:
    return QUALITY[name].sign < 0


def numbers(here: str) -> Iterator[Panel]:
    """Give what is to be seen first, of a model in a window."""
    yield quantity(
        "Quality against its threshold",
        "The worst quality of all rows: its errors, divided by those that its threshold allows. "
        "Over 1 the model is worse than in the reference by more than chance brings.",
        "none",
        Query(over_threshold(f"{here}, {ALL_ROWS}", "version"), "{{version}}"),
        steps=OVER,
        decimals=2,
        none=NO_OUTCOMES,
    )
    yield quantity(
        "Concept drift",
        "Whether the errors are distributed otherwise than in the reference.",
        "bool_yes_no",
        Query(greatest("mlmon_concept_drifted", here, "version"), "{{version}}"),
        steps=[(1, "orange")],
        none=NO_OUTCOMES,
    )
    yield quantity(
        "Rows with ground truth",
        "Outcomes in the window, over all replicas. Few make wide thresholds.",
        "short",
        Query(total("mlmon_quality_rows", f"{here}, {ALL_ROWS}", "version"), "{{version}}"),
        none=NO_OUTCOMES,
    )


def rows(here: str) -> list[Row]:
    """Return the rows that any model with ground truth fills."""
    return [
        Row("Quality", [Line(9, [*_deciding(here), _against(here)])]),
        Row("More of a classification", [Line(8, list(_of_classes(here)))], is_collapsed=True),
        Row("More of a regression", [Line(8, [_mape(here)])], is_collapsed=True),
    ]


def expected(here: str) -> Row:
    """Return what is said before ground truth comes."""
    title = "Quality to be expected, before ground truth comes: blind to concept drift"
    lines = [Line(8, list(_expected(here))), Line(6, [_doubt(here)])]
    return Row(title, lines, is_collapsed=True)


def _doubt(here: str) -> Panel:
    share = greatest("mlmon_estimate_doubt_ratio", here, "version")
    return series(
        "Rows unlike any of the reference",
        "Greatest share of rows that are far out in joint distance, out of a feature's range, or "
        "of an unknown category. Over 5 % no quality is estimated: nothing is known of such "
        "rows.",
        "percentunit",
        Query(share, "unlike {{version}}"),
        none=NO_ESTIMATE,
    )


def versions(here: str) -> Row:
    """Return how versions compare."""
    return Row("Version against version", [Line(8, list(_versions(here)))], is_collapsed=True)


def _of(name: str, here: str) -> list[Query]:
    """Return a quality with the reference's and its threshold."""
    all_rows, text = f"{here}, {ALL_ROWS}", NAMES.get(name, name)
    reference = worst("reference_quality", name, f"{MODEL}, {ALL_ROWS}")
    queries = [Query(worst("quality", name, all_rows), f"{text} {{{{version}}}}")]
    if name in DECIDING:
        of = greatest if _is_loss(name) else least
        bar = of(f"mlmon_quality_{name}_threshold", all_rows, "version")
        queries.append(Query(bar, f"{text} {{{{version}}}} threshold"))
    return [*queries, Query(reference, f"{text} {{{{version}}}} reference")]


def _panel(
    title: str, about: str, here: str, names: Sequence[str], axis: Axis, unit: str = "none"
) -> Panel:
    queries = [query for name in names for query in _of(name, here)]
    return series(title, about, unit, *queries, axis=axis, none=_of_task(NO_QUALITY, names))


def _of_task(text: str, names: Sequence[str]) -> str:
    """Return what is said where there is nothing of some qualities."""
    tasks = {QUALITY[name].task for name in names}
    return text.format(f" of a {tasks.pop()}" if len(tasks) == 1 else "")


SHARE = Axis(least=None, most=1)


def _deciding(here: str) -> Iterator[Panel]:
    yield _panel(
        "Losses or errors",
        "Less is better. Of a classification log loss, nats, and Brier score; of a regression the "
        f"root of the mean squared error, and the mean absolute error. {BESIDE}",
        here,
        ["log_loss", "brier", "rmse", "mae"],
        Axis(),
    )
    yield _panel(
        "Area under the ROC curve, or R²",
        "Of a classification, how well scores tell the classes apart: 1 is always, 0.5 is not at "
        "all; with more than two classes the mean of each against the rest. Of a regression, the "
        "share of the ground truth's variance that predictions explain; under 0 its mean would be "
        f"better. {BESIDE}",
        here,
        ["roc_auc", "r2"],
        SHARE,
    )


def _of_classes(here: str) -> Iterator[Panel]:
    yield _panel(
        "Accuracy of a classification",
        f"Share of rows whose class was predicted. {BESIDE}",
        here,
        ["accuracy"],
        SHARE,
        "percentunit",
    )
    yield _panel(
        "Precision, recall and F1",
        "Of the positive class; with more than two classes the mean over classes. Dotted lines are "
        "the reference's.",
        here,
        ["precision", "recall", "f1"],
        SHARE,
        "percentunit",
    )
    yield _panel(
        "Calibration error",
        "How far probabilities are from how often the outcome comes, over ten bins: with few rows "
        "chance alone makes it large. The dotted line is the reference's.",
        here,
        ["calibration_error"],
        Axis(),
    )


def _mape(here: str) -> Panel:
    return _panel(
        "MAPE of a regression",
        "Mean absolute error as a share of the ground truth; huge where that is near 0. The dotted "
        "line is the reference's.",
        here,
        ["mape"],
        Axis(),
        "percentunit",
    )


def _expected(here: str) -> Iterator[Panel]:
    blind = (
        "What is to be expected in the window, without ground truth: of a classification by how "
        "often each score was right in the reference, of a regression by how large errors were at "
        "such inputs and predictions. It follows a change of the inputs. It is blind to concept "
        "drift: where the same inputs lead to other outcomes it stays as it was, so it never "
        "replaces ground truth. It is absent while over 5 % of rows are unlike any of the "
        "reference."
    )
    groups = {
        "Accuracy and area": ("accuracy", "roc_auc"),
        "Precision, recall and F1": ("precision", "recall", "f1"),
        "Losses": ("log_loss", "brier"),
        "Errors of a regression": ("rmse", "mae"),
    }
    for title, names in groups.items():
        found = [
            Query(
                worst("estimated_quality", name, here), f"{NAMES.get(name, name)} {{{{version}}}}"
            )
            for name in names
        ]
        yield series(
            f"{title}, expected",
            blind,
            "none",
            *found,
            axis=Axis() if all(map(_is_loss, names)) else SHARE,
            none=f"{NO_ESTIMATE} of a {QUALITY[names[0]].task}",
        )


def concept(here: str) -> Row:
    """Return whether errors are distributed as in the reference."""
    return Row("Concept drift", [Line(8, list(_concept(here)))], is_collapsed=True)


def _concept(here: str) -> Iterator[Panel]:
    statistic, bar = (
        greatest(f"mlmon_error_ks_{what}", here, "version") for what in ("statistic", "threshold")
    )
    yield series(
        "Errors against the reference's",
        "Greatest gap between the distributions of errors (log losses, or residuals) in the window "
        "and in the reference. Over the dashed line, the same inputs may lead to other outcomes; "
        "inputs that have changed may raise it, too.",
        "none",
        Query(statistic, "errors {{version}}"),
        Query(bar, "errors {{version}} threshold"),
        none=NO_OUTCOMES,
    )


def _against(here: str) -> Panel:
    return series(
        "Quality against its threshold",
        "The worst quality of all rows: its errors divided by those that its threshold allows. "
        "Over the dashed line, 1, the model is worse than chance explains.",
        "none",
        Query(over_threshold(f"{here}, {ALL_ROWS}", "version"), "quality {{version}}"),
        axis=Axis(limit=1, bend=1),
        none=NO_OUTCOMES,
    )


def _versions(here: str) -> Iterator[Panel]:
    groups = {
        "Accuracy and area: less the configured version's": (
            "Over 0 the version is better than the configured one.",
            ("accuracy", "roc_auc"),
        ),
        "Losses or errors: less the configured version's": (
            "Under 0 the version is better than the configured one.",
            ("log_loss", "brier", "rmse", "mae"),
        ),
    }
    for title, (better, names) in groups.items():
        yield series(
            title,
            f"{better} Between the dashed lines it may be chance.",
            "none",
            *(query for name in names for query in _difference(name, here)),
            axis=Axis(least=None),
            none=_of_task(NO_DIFFERENCE, names),
        )


def _difference(name: str, here: str) -> Iterator[Query]:
    metric, text = f"mlmon_quality_{name}_difference", f"{NAMES.get(name, name)} {{{{version}}}}"
    bar = greatest(f"{metric}_threshold", here, "version")
    of = greatest if _is_loss(name) else least
    yield Query(of(metric, here, "version"), text)
    yield Query(bar, f"{text} upper threshold")
    yield Query(f"- {bar}", f"{text} lower threshold")
