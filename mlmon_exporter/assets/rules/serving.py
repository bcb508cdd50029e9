"""Alerts on requests: error budget, latency, traffic.

Burn rates and their pairs of windows are those of the Site Reliability Workbook (Google, 2018),
chapter 5: a page when 2 % of a month's budget is gone within an hour or 5 % within six, a ticket
when 10 % is within a day or three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from .alert import Alert, latched
from .rule_files import Group, Rule
from .settings import MODEL, Settings

REQUESTS = "model:mlmon_requests:rate5m"
OF_MODELS = 'model!=""'
FAILED = 'outcome=~"server_error|interrupted",model!=""'
LEAST_BAD = 10
"""Fewer bad requests are no burn, whatever their share: with little traffic one is many percent."""
LEAST_ROWS = 100
"""Rows in each half hour of other weeks, under which their absence today means nothing."""
USUAL_WEEKS = (1, 2)
"""Past weeks in which a model must have had traffic: one alone may have been the exception."""
NATIVE = """\
Optional: slow requests where scrapes turn classic histograms into native ones, by
`convert_classic_histograms_to_nhcb`. Without it the objective of latency is not watched there."""
RECORDED = """\
Requests of each model, and the share of them that failed or was slow, over the windows of the
burn-rate alerts. Numbers of requests are added up over the window first and divided after."""


class Burn(NamedTuple):
    """A pair of windows: the long one says that it matters, the short one that it goes on."""

    factor: float
    """Speed at which the budget is spent, as a multiple of what the objective allows."""
    long: str
    short: str


PAGES = (Burn(14.4, "1h", "5m"), Burn(6, "6h", "30m"))
TICKETS = (Burn(3, "1d", "2h"), Burn(1, "3d", "6h"))
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


class Budget(NamedTuple):
    """Bad requests of one objective."""

    rate: str
    """Name of the recorded number of bad requests a second."""
    what: str
    """A verb phrase: bad requests ended in an error, took too long."""
    bad: str
    """Expression of their number a second."""
    allowed: float
    """Their share that the objective allows."""

    def share(self, window: str) -> str:
        """Return the name of the recorded share of requests that were bad."""
        return self.rate.replace("rate5m", f"ratio{window}")


def budgets(settings: Settings) -> tuple[Budget, ...]:
    """Return the bad requests of each objective: those that failed, those that were slow."""
    rate = settings.span("5m")
    duration = "mlmon_request_duration_seconds"
    # Prometheus 3 writes 1.0 where Prometheus 2 keeps what was exposed.
    bound = f"{settings.slow_seconds:g}".replace(".", r"\\.")
    within = rf'le=~"{bound}(\\.0)?",{OF_MODELS}'
    all_, fast, failed = (
        f"sum by ({MODEL}) (rate({settings.select(*selector)}[{rate}]))"
        for selector in (
            (f"{duration}_count", OF_MODELS),
            (f"{duration}_bucket", within),
            ("mlmon_requests_total", FAILED),
        )
    )
    return (
        Budget(
            "model:mlmon_request_errors:rate5m",
            "ended in a server error or were cut off",
            # Before the first failure there may be no series: none failed, if requests come.
            f"{failed}\nor\n0 * {settings.select(REQUESTS)}",
            1 - settings.availability_objective,
        ),
        Budget(
            "model:mlmon_slow_requests:rate5m",
            f"took longer than {settings.slow_seconds:g} s",
            f"{all_}\n-\n{fast}",
            1 - settings.latency_objective,
        ),
    )


def recordings(settings: Settings) -> list[Group[Rule]]:
    """Return the rules that record rates and shares."""
    total = settings.select("mlmon_requests_total", OF_MODELS)
    rate = f"sum by ({MODEL}) (rate({total}[{settings.span('5m')}]))"
    rules = [Rule(REQUESTS, rate, "Requests a second.")]
    for budget in budgets(settings):
        rules.append(Rule(budget.rate, budget.bad, f"Requests a second that {budget.what}."))
        rules += [_share(settings, budget, window) for window in WINDOWS]
    return [Group("mlmon-requests", settings.span("1m"), rules)]


def native_recordings(settings: Settings) -> list[Group[Rule]]:
    """Return the rule for scrapes that make classic histograms native: the same recorded series.

    Apart, since VictoriaMetrics does not know these functions, and refuses a file that has them.
    """
    duration = settings.select("mlmon_request_duration_seconds", OF_MODELS)
    native = f"sum by ({MODEL}) (rate({duration}[{settings.span('5m')}]))"
    share = f"histogram_fraction(-Inf, {settings.slow_seconds:g}, {native})"
    slow = budgets(settings)[1]
    expr = f"histogram_count({native})\n* (1 - {share})"
    rule = Rule(slow.rate, expr, f"Requests a second that {slow.what}.")
    return [Group("mlmon-native-requests", settings.span("1m"), [rule])]


def _share(settings: Settings, budget: Budget, window: str) -> Rule:
    span = settings.span(window)
    bad, all_ = settings.select(budget.rate), settings.select(REQUESTS)
    return Rule(
        budget.share(window),
        f"sum_over_time({bad}[{span}])\n/\n(sum_over_time({all_}[{span}]) > 0)",
        f"Share of the requests of {window} that {budget.what}, 0 to 1.",
    )


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [*_burn_alerts(settings), *_traffic_alerts(settings)]


def _burn_alerts(settings: Settings) -> Iterator[Alert]:
    errors, slow = budgets(settings)
    kept = f"the objective is that {_percent(settings.availability_objective)} do not"
    in_time = f"the objective is that {_percent(settings.latency_objective)} do not"
    late = f"take over {settings.slow_seconds:g} s"
    fast, slowly = _burns("ErrorBurn", "fail", f"fail; {kept}", _bars(settings, errors))
    yield from (fast, slowly)
    fast, slowly = _burns("LatencyBurn", "are slow", f"{late}; {in_time}", _bars(settings, slow))
    # Many a model is slower than any bound that we could guess, and nobody minds.
    is_guess = settings.latency_seconds is None
    yield from (replace(fast, severity="warning") if is_guess else fast, slowly)


def _burns(name: str, verb: str, text: str, bars: tuple[str, str]) -> Iterator[Alert]:
    """Give the page and the ticket of one objective."""
    what = f"Requests of {{{{ $labels.model }}}} {verb}"
    share = "{{ $value | humanizePercentage }} of the requests of {{ $labels.model }}"
    page, ticket = bars
    for speed, severity, expr, hold, keep, meaning in (
        ("Fast", "critical", page, "2m", "5m", "a month's budget is gone within days"),
        ("Slow", "warning", ticket, "15m", "30m", "a month's budget will not last the month"),
    ):
        yield Alert(
            name=f"Mlmon{name}{speed}",
            severity=severity,
            expr=expr,
            labels=("job", "model"),
            hold=hold,
            keep=keep,
            summary=f"{what}: {meaning}",
            description=f"{share} ({{{{ $labels.job }}}}) {text}.",
            board="overview",
        )


def _bars(settings: Settings, budget: Budget) -> tuple[str, str]:
    """Return the expressions of the page and of the ticket."""
    return _over(settings, budget, PAGES), _over(settings, budget, TICKETS)


def _over(settings: Settings, budget: Budget, pairs: Sequence[Burn]) -> str:
    step, rate = settings.span_seconds("1m"), settings.select(budget.rate)
    return "\nor\n".join(
        f"""\
(
  {settings.select(budget.share(burn.long))} > {burn.factor:g} * {budget.allowed:.6g}
  and {settings.select(budget.share(burn.short))} > {burn.factor:g} * {budget.allowed:.6g}
  and {step:g} * sum_over_time({rate}[{settings.span(burn.long)}]) >= {LEAST_BAD}
)"""
        for burn in pairs
    )


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"


def _traffic_alerts(settings: Settings) -> Iterator[Alert]:
    rows = settings.select("mlmon_prediction_rows_total")
    info = settings.select("mlmon_model_info")
    half, hour = settings.span("30m"), settings.span("1h")
    last, before = (_usual_rows(settings, "30m", weeks) for weeks in USUAL_WEEKS)
    # A model that is gone, or whose targets are down, has other alerts.
    yield Alert(
        name="MlmonNoPredictions",
        severity="critical",
        expr=f"""\
(
  (
    {last} >= {LEAST_ROWS}
    and {before} >= {LEAST_ROWS}
    or {latched(settings, "MlmonNoPredictions", MODEL)}
  )
  unless sum by ({MODEL}) (increase({rows}[{half}])) > 0
)
and group by ({MODEL}) ({info})""",
        labels=("job", "model"),
        hold="5m",
        summary="{{ $labels.model }} predicts nothing",
        description=(
            "{{ $labels.model }} ({{ $labels.job }}) has predicted no row for half an hour; in "
            f"other weeks it predicted {LEAST_ROWS} or more in each half hour at this time."
        ),
        board="overview",
    )
    least = 10 * LEAST_ROWS
    last, before = (_usual_rows(settings, "1h", weeks) for weeks in USUAL_WEEKS)
    now = f"sum by ({MODEL}) (increase({rows}[{hour}]))"
    yield Alert(
        name="MlmonTrafficDrop",
        severity="warning",
        expr=f"""\
{now} / ({last} >= {least}) < 0.5
and {now} / ({before} >= {least}) < 0.5""",
        labels=("job", "model"),
        hold="30m",
        keep="30m",
        summary="{{ $labels.model }} predicts less than half as much as in other weeks",
        description=(
            "{{ $labels.model }} ({{ $labels.job }}) predicts {{ $value | humanizePercentage }} "
            "of the rows that it predicted in the least hour around this time a week ago."
        ),
        board="overview",
    )


def _usual_rows(settings: Settings, span: str, weeks: int) -> str:
    """Return the rows in a span of some weeks ago: the least from an hour before to one after.

    The least of them knows neither of a single backfill nor of the hour that daylight saving
    moves: a batch, with nothing before and after it, has none that are usual.
    """
    rows, step = settings.select("mlmon_prediction_rows_total"), settings.span("30m")
    width = settings.span("2h" if span == "30m" else "3h")
    after = settings.span(f"{24 * 7 * weeks - 1}h")
    each = f"sum by ({MODEL}) (increase({rows}[{settings.span(span)}]))"
    return f"min_over_time({each}[{width}:{step}] offset {after})"
