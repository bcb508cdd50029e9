"""Cases of the monitor itself."""

from __future__ import annotations

from .alert_cases import ANY, Case, CaseFile, series

JOB = {"job": "models"}
A = {"job": "models", "instance": "a"}
RULES = ["alerting/mlmon-monitor.yml"]

BUILD = series("mlmon_build_info", version="1", digest="tdigest", state="memory")
QUEUE = series("mlmon_queue_exchanges")
REQUESTS = series("mlmon_requests_total", model="bike", outcome="ok")
DROPPED, DROPPED_B = (
    series("mlmon_dropped_total", instance=name, reason="queue_full") for name in "ab"
)
UNKNOWN = series("mlmon_dropped_total", reason="unknown_route")
UNREAD = series("mlmon_dropped_total", reason="response_unread")
PARSE = series("mlmon_parse_errors_total", format="json", reason="bad_json")
INTERNAL = series("mlmon_internal_errors_total", where="store")
ROUTES = series("mlmon_label_overflow_total", label="route")
METHODS = series("mlmon_label_overflow_total", label="method")
FLUSHED = series("mlmon_last_flush_timestamp_seconds")

INTAKE = [
    Case("MlmonQueueSaturated", "fires: thousands wait", {QUEUE: "4000x60"}, 30, A, "4k"),
    Case("MlmonQueueSaturated", "silent: a hundred do", {QUEUE: "100x60"}, 30),
    Case(
        "MlmonQueueSaturated",
        "silent: it empties at times",
        {QUEUE: "9000x8 0 9000x8 0 9000x8"},
        24,
    ),
    Case(
        "MlmonObservationsDropped",
        "fires: a tenth, over two replicas",
        {REQUESTS: "0+1000x60", DROPPED: "0+60x60", DROPPED_B: "0+40x60", UNREAD: "0x60"},
        30,
        {**JOB, "reason": "queue_full"},
        "10%",
    ),
    Case(
        "MlmonObservationsDropped",
        "fires: no request is a model's, since no route is known",
        {UNKNOWN: "0+100x60"},
        30,
        {**JOB, "reason": "unknown_route"},
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
        "silent: many, but long ago",
        {REQUESTS: "0+99x60", DROPPED: "900x60"},
        30,
    ),
    Case(
        "MlmonParseErrors",
        "fires: a twentieth",
        {REQUESTS: "0+1000x60", PARSE: "0+50x60"},
        30,
        {**JOB, "format": "json", "reason": "bad_json"},
        "5%",
    ),
    Case(
        "MlmonParseErrors", "silent: half a percent", {REQUESTS: "0+1000x60", PARSE: "0+5x60"}, 30
    ),
    Case(
        "MlmonParseErrors",
        "fires: over since eight minutes",
        {REQUESTS: "0+1000x90", PARSE: "0+50x20 1000x70"},
        40,
        {**JOB, "format": "json", "reason": "bad_json"},
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
    Case(
        "MlmonLabelOverflow",
        "fires: routes without end",
        {ROUTES: "0+1x90"},
        80,
        {**JOB, "label": "route"},
        "60",
    ),
    Case("MlmonLabelOverflow", "silent: a few", {ROUTES: "0x10 5x80"}, 80),
    Case("MlmonLabelOverflow", "silent: a scanner's methods", {METHODS: "0+1x90"}, 80),
    Case("MlmonFlushStale", "fires: not for half an hour", {FLUSHED: "0x60"}, 30, A, "30m 0s"),
    Case("MlmonFlushStale", "silent: a minute ago", {FLUSHED: "0+60x60"}, 30),
    Case("MlmonFlushStale", "silent: for twelve minutes", {FLUSHED: "0x60"}, 12),
]

CPU = series("process_cpu_seconds_total")
DURATION = series("scrape_duration_seconds")
SAMPLES = series("scrape_samples_scraped")
UNSHARED = series("mlmon_build_info", version="1", digest="tdigest", state="unshared")
THERE = {BUILD: "1x90"}

SETUP = [
    Case("MlmonCpuSaturated", "fires: a whole core", {CPU: "0+60x90", **THERE}, 60, A, "100%"),
    Case("MlmonCpuSaturated", "silent: half a core", {CPU: "0+30x90", **THERE}),
    Case("MlmonCpuSaturated", "silent: another exporter's process", {CPU: "0+60x90"}),
    Case("MlmonCpuSaturated", "silent: for ten minutes", {CPU: "0x50 60+60x40", **THERE}, 61),
    Case("MlmonScrapeSlow", "fires: seven seconds", {DURATION: "7x90", **THERE}, 60, A, "7s"),
    Case("MlmonScrapeSlow", "silent: a tenth of a second", {DURATION: "0.1x90", **THERE}),
    Case("MlmonScrapeSlow", "silent: one slow scrape", {DURATION: "0.1x50 9 0.1x40", **THERE}, 55),
    Case("MlmonScrapeSlow", "silent: another exporter", {DURATION: "7x90"}),
    Case("MlmonTooManySeries", "fires: 200 000", {SAMPLES: "200000x90", **THERE}, 60, A, "200k"),
    Case("MlmonTooManySeries", "silent: 80 000", {SAMPLES: "80000x90", **THERE}),
    Case("MlmonTooManySeries", "silent: another exporter", {SAMPLES: "200000x90"}),
    Case("MlmonTooManySeries", "silent: one scrape", {SAMPLES: "9x50 200000 9x40", **THERE}, 53),
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
MONITOR = CaseFile(RULES, [*INTAKE, *SETUP])

MEMORY = series("process_resident_memory_bytes")
STARTED = series("process_start_time_seconds")
LASTING = {BUILD: "1x200", STARTED: "0x200"}
LONG = CaseFile(
    RULES,
    [
        Case(
            "MlmonMemoryGrowth",
            "fires: twice as much as six hours ago",
            {MEMORY: "1000000000x40 2000000000x200", **LASTING},
            560,
            A,
            "953.7Mi",
        ),
        Case("MlmonMemoryGrowth", "silent: it stays", {MEMORY: "1000000000x200", **LASTING}, 800),
        Case(
            "MlmonMemoryGrowth",
            "silent: doubled, but small",
            {MEMORY: "50000000x30 100000000x200", **LASTING},
            560,
        ),
        Case(
            "MlmonMemoryGrowth",
            "silent: a little of much",
            {MEMORY: "20000000000x30 21000000000x200", **LASTING},
            560,
        ),
        Case(
            "MlmonMemoryGrowth",
            "silent: a peak",
            {MEMORY: "1000000000x75 9000000000x2 1000000000x100", **LASTING},
            800,
        ),
        Case(
            "MlmonMemoryGrowth",
            "silent: restarted with a greater model",
            {MEMORY: "1000000000x50 2000000000x100", BUILD: "1x200", STARTED: "0x50 30000x150"},
            800,
        ),
        Case(
            "MlmonMemoryGrowth",
            "silent: another exporter's process",
            {MEMORY: "1000000000x40 2000000000x200", STARTED: "0x200"},
            560,
        ),
    ],
    every="10m",
)
