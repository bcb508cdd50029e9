"""Cases of the monitor itself, and of its rules."""

from __future__ import annotations

from .alert_cases import ANY, Case, CaseFile, series

JOB = {"job": "models"}
A = {"job": "models", "instance": "a"}
RULES = ["recording/mlmon-targets.yml", "alerting/mlmon-monitor.yml"]
ORDER = ("targets", "monitor-alerts")

BUILD = series("mlmon_build_info", version="1", digest="tdigest", state="memory")
INFO = series("mlmon_model_info", model="bike", version="1")
UP = series("up")
QUEUE = series("mlmon_queue_exchanges")
REQUESTS, REQUESTS_B = (
    series("mlmon_requests_total", instance=name, model="bike", outcome="ok") for name in "ab"
)
DROPPED = series("mlmon_dropped_total", reason="queue_full")
UNHEARD = series("mlmon_dropped_total", reason="unheard")
UNKNOWN = series("mlmon_dropped_total", reason="unknown_route")
UNREAD = series("mlmon_dropped_total", reason="response_unread")
REFUSED = series("mlmon_dropped_total", reason="request_unread")
PARSE = series("mlmon_parse_errors_total", format="json", reason="bad_json")
INTERNAL = series("mlmon_internal_errors_total", where="store")
WRITABLE = series("mlmon_state_writable")
FLUSHED = series("mlmon_last_flush_timestamp_seconds")
OTHERS = {
    series("mlmon_requests_total", instance=str(number), model=f"m{number}"): "0+5000x60"
    for number in range(30)
}
"""Services of the same job that are well."""

INTAKE = [
    Case("MlmonIntakeBehind", "fires: thousands wait", {QUEUE: "4000x60"}, 30, A, "4k"),
    Case(
        "MlmonIntakeBehind",
        "fires: some wait since half an hour",
        {QUEUE: "5x60", FLUSHED: "0x60"},
        30,
        A,
        "5",
    ),
    Case("MlmonIntakeBehind", "silent: a hundred do", {QUEUE: "100x60", FLUSHED: "0+60x60"}, 30),
    Case(
        "MlmonIntakeBehind",
        "silent: it empties at times",
        {QUEUE: "9000x8 0 9000x8 0 9000x8"},
        24,
    ),
    Case("MlmonIntakeBehind", "silent: for twelve minutes", {QUEUE: "5x60", FLUSHED: "0x60"}, 12),
    Case(
        "MlmonClockSkew",
        "fires: the target is half an hour ahead",
        {FLUSHED: "1800+60x60", QUEUE: "0x60"},
        30,
        A,
        "-30m 0s",
    ),
    Case(
        "MlmonClockSkew",
        "fires: it is half an hour behind",
        {FLUSHED: "-1800+60x60", QUEUE: "0 3 0 9 0 0 1 0 0 0 2 0 0 0 7 0 0 0x60"},
        30,
        A,
        "30m 0s",
    ),
    Case("MlmonClockSkew", "silent: ten seconds ahead", {FLUSHED: "10+60x60", QUEUE: "0x60"}, 30),
    Case("MlmonClockSkew", "silent: a minute behind", {FLUSHED: "-60+60x60", QUEUE: "0x60"}, 30),
    Case("MlmonClockSkew", "silent: exchanges wait", {FLUSHED: "0x60", QUEUE: "5x60"}, 30),
    Case(
        "MlmonObservationsDropped",
        "fires: a tenth",
        {REQUESTS: "0+1000x60", DROPPED: "0+100x60", UNREAD: "0x60"},
        30,
        {**A, "reason": "queue_full"},
        "10%",
    ),
    Case(
        "MlmonObservationsDropped",
        "fires: a single burst of a reason that is there at 0",
        {REQUESTS: "0+1000x60", DROPPED: "0x20 900x40"},
        30,
        {**A, "reason": "queue_full"},
        ANY,
    ),
    Case(
        "MlmonObservationsDropped",
        "fires: the first ever for a reason that appears with them",
        {REQUESTS: "0+1000x60", UNHEARD: "_x10 50+50x50"},
        30,
        {**A, "reason": "unheard"},
        ANY,
    ),
    Case(
        "MlmonObservationsDropped",
        "fires: all of one service of many",
        {REQUESTS: "0+10x60", DROPPED: "0+10x60", **OTHERS},
        30,
        {**A, "reason": "queue_full"},
        "100%",
    ),
    Case(
        "MlmonObservationsDropped",
        "fires: no request is a model's, since no route is known",
        {UNKNOWN: "0+100x60"},
        30,
        {**A, "reason": "unknown_route"},
        "100%",
    ),
    Case(
        "MlmonObservationsDropped",
        "silent: half a percent",
        {REQUESTS: "0+1000x60", DROPPED: "0+5x60"},
        30,
    ),
    Case(
        "MlmonObservationsDropped",
        "silent: one of ten requests, seldom any",
        {REQUESTS: "0+10x60", DROPPED: "0+1x60"},
        30,
    ),
    Case(
        "MlmonObservationsDropped",
        "silent: answered before the body was read, such as a 401",
        {REQUESTS: "0+100x60", REFUSED: "0+100x60"},
        30,
    ),
    Case(
        "MlmonObservationsDropped",
        "silent: many, but long ago",
        {REQUESTS: "0+99x60", DROPPED: "900x60"},
        30,
    ),
    Case(
        "MlmonParseErrors",
        "fires: a twentieth",
        {REQUESTS: "0+1000x60", PARSE: "0+50x60"},
        30,
        {**A, "format": "json", "reason": "bad_json"},
        "5%",
    ),
    Case(
        "MlmonParseErrors",
        "fires: the first ever, whose series appears with them",
        {REQUESTS: "0+1000x60", PARSE: "_x10 50+50x50"},
        30,
        {**A, "format": "json", "reason": "bad_json"},
        ANY,
    ),
    Case(
        "MlmonParseErrors",
        "fires: all of one service of many",
        {REQUESTS: "0+10x60", PARSE: "0+10x60", **OTHERS},
        30,
        {**A, "format": "json", "reason": "bad_json"},
        "100%",
    ),
    Case(
        "MlmonParseErrors", "silent: half a percent", {REQUESTS: "0+1000x60", PARSE: "0+5x60"}, 30
    ),
    Case(
        "MlmonParseErrors",
        "fires: over since eight minutes",
        {REQUESTS: "0+1000x90", PARSE: "0+50x20 1000x70"},
        40,
        {**A, "format": "json", "reason": "bad_json"},
        ANY,
    ),
    Case(
        "MlmonParseErrors",
        "silent: over since twenty minutes",
        {REQUESTS: "0+1000x90", PARSE: "0+50x20 1000x70"},
        55,
    ),
    Case("MlmonParseErrors", "silent: seldom any", {REQUESTS: "0+10x60", PARSE: "0+1x60"}, 30),
    Case(
        "MlmonInternalErrors",
        "fires: one fault",
        {INTERNAL: "0x10 1x50"},
        30,
        {**JOB, "where": "store"},
        "1",
    ),
    Case("MlmonInternalErrors", "silent: none", {INTERNAL: "0x60"}, 30),
    Case("MlmonInternalErrors", "silent: counts of before a restart", {INTERNAL: "7x10 0x60"}, 30),
    Case("MlmonInternalErrors", "silent: two minutes old", {INTERNAL: "0x10 1x50"}, 12),
    Case("MlmonStateNotWritten", "fires: for an hour", {WRITABLE: "1x10 0x60"}, 60, A),
    Case("MlmonStateNotWritten", "silent: it is written", {WRITABLE: "1x60"}, 30),
    Case("MlmonStateNotWritten", "silent: for three minutes", {WRITABLE: "1x10 0x2 1x60"}, 30),
    Case("MlmonStateNotWritten", "silent: counts are in memory", {BUILD: "1x60"}, 30),
]

DURATION = series("scrape_duration_seconds")
UNSHARED = series("mlmon_build_info", version="1", digest="tdigest", state="unshared")
THERE = {BUILD: "1x90", INFO: "1x90", UP: "1x90"}

SETUP = [
    Case("MlmonScrapeSlow", "fires: seven seconds", {DURATION: "7x90", **THERE}, 60, A, "7s"),
    Case(
        "MlmonScrapeSlow",
        "fires: none comes in time any more",
        {DURATION: "2x20 10x70", UP: "1x20 0x70", INFO: "1x20 stale", BUILD: "1x20 stale"},
        60,
        A,
        "10s",
    ),
    Case("MlmonScrapeSlow", "silent: a tenth of a second", {DURATION: "0.1x90", **THERE}),
    Case("MlmonScrapeSlow", "silent: one slow scrape", {DURATION: "0.1x50 9 0.1x40", **THERE}, 55),
    Case("MlmonScrapeSlow", "silent: another exporter", {DURATION: "7x90"}),
    Case(
        "MlmonWorkersUnshared",
        "fires: whichever worker answers",
        {UNSHARED: "1 _x9 1 _x9 1 _x9 1 _x9 1 _x9 1 _x9 1"},
        60,
        A,
    ),
    Case("MlmonWorkersUnshared", "silent: one worker", THERE),
    Case("MlmonWorkersUnshared", "silent: mended at once", {UNSHARED: "1x2 stale", **THERE}, 40),
]
MONITOR = CaseFile(RULES, [*INTAKE, *SETUP], order=ORDER)

FAILURES, MISSED, FOREIGN = (
    series(f"prometheus_rule_{name}_total", job="prometheus", rule_group=group)
    for name, group in (
        ("evaluation_failures", "/etc/alerts/mlmon-fleet.yml;mlmon-feature-1h"),
        ("group_iterations_missed", "/etc/alerts/mlmon-fleet.yml;mlmon-feature-1h"),
        ("evaluation_failures", "/etc/alerts/node.yml;node"),
    )
)
GROUP = {"rule_group": "/etc/alerts/mlmon-fleet.yml;mlmon-feature-1h"}
RULES_THEMSELVES = CaseFile(
    ["alerting/mlmon-monitor.yml"],
    [
        Case("MlmonRulesFailing", "fires: an expression fails", {FAILURES: "0+1x60"}, 40, GROUP),
        Case("MlmonRulesFailing", "fires: intervals are missed", {MISSED: "0+1x60"}, 40, GROUP),
        Case("MlmonRulesFailing", "fires: recording rules are not loaded", {INFO: "1x60"}, 40, {}),
        Case("MlmonRulesFailing", "silent: rules of others fail", {FOREIGN: "0+1x60"}, 40),
        Case("MlmonRulesFailing", "silent: one failure", {FAILURES: "0x10 1x60"}, 35),
        Case("MlmonRulesFailing", "silent: no model is served", {FAILURES: "0x60"}, 40),
    ],
)
