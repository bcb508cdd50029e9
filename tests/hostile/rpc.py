"""Messages of gRPC, and of a stream of them: bytes to start from, and a rule."""

from __future__ import annotations

from functools import cache

from mlmon_exporter import Monitor
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap
from mlmon_exporter.formats.grpc_messages import MEDIA_TYPE, MESSAGE_TYPE, framed
from mlmon_exporter.sources.grpc.conversation import STREAMED, Conversation
from mlmon_exporter.sources.grpc.messages import Messages
from mlmon_exporter.sources.recorder import Recorder
from tests.formats import oip_messages as oip
from tests.formats.test_fuzz import check

LIMITS = BodyMap(max_rows=100, max_features=50, max_values=1000)
TYPES = (MESSAGE_TYPE, MEDIA_TYPE.encode())


@cache
def monitor() -> Monitor:
    return Monitor(model="m")


def seeds() -> list[bytes]:
    values = {"BOOL": 1, "INT32": 5, "INT64": -5, "UINT64": 5, "FP32": 0.5, "BYTES": b"x"}
    typed = [oip.tensor(kind, kind, [1], [value]) for kind, value in values.items()]
    raw = oip.tensor("x", "FP64", [2, 1])
    messages = [
        *(oip.request(typed, id="i"), oip.request([raw], [bytes(16)], version="2")),
        oip.response(typed, id="i", is_last=False),
        oip.streamed(oip.response([raw], [bytes(16)], id="i", is_last=True)),
        oip.streamed(oip.response([], id="i"), "an error"),
    ]
    return [
        *(b"\0" + message for message in messages),
        b"\1" + b"".join(framed(message, b"") for message in messages),
    ]


def rule(data: bytes) -> None:
    """Any body is columns or a FormatError; of a stream cut anywhere, nothing stays."""
    kind, body = TYPES[data[0] % 2 if data else 0], data[1:]
    headers = {b"content-type": kind}
    asked = {b"content-type": MESSAGE_TYPE}
    path = "/v2/models/m/infer"
    sent = Exchange(0.0, "m", path, path, 200, "", asked, [body], headers, [body])
    check(sent, LIMITS, "oip_v2")
    sink = monitor()._sink
    talk = Conversation(sink, Recorder(sink), STREAMED, ())
    requests, answers = Messages(1000), Messages(1000)
    half = len(body) // 2
    for part in (body[:half], body[half:]):
        for message in requests.feed(part):
            talk.asked(message)
        for message in answers.feed(part):
            talk.answered(message)
    talk.ended(data[0] % 20 if data else 0)
    assert sink.in_flight == {}
