"""The messages of the Open Inference Protocol, as far as the example sends them.

It stands for what `grpc_tools.protoc` makes of the protocol's file. Numbers of fields are that
file's.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SCHEMA = {
    "InferTensorContents": {"fp64_contents": (7, "double*")},
    "InferTensor": {
        "name": (1, "string"),
        "datatype": (2, "string"),
        "shape": (3, "int64*"),
        "contents": (5, "InferTensorContents"),
    },
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "id": (3, "string"),
        "inputs": (5, "InferTensor*"),
    },
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "id": (3, "string"),
        "outputs": (5, "InferTensor*"),
    },
}
"""Message -> its fields: number and type (`*`: repeated)."""

_file = descriptor_pb2.FileDescriptorProto(name="oip.proto", package="inference", syntax="proto3")
for _name, _fields in SCHEMA.items():
    _message = _file.message_type.add(name=_name)
    for _field, (_number, _kind) in _fields.items():
        _added = _message.field.add(name=_field, number=_number)
        _added.label = _added.LABEL_REPEATED if _kind.endswith("*") else _added.LABEL_OPTIONAL
        _plain = _kind.rstrip("*")
        if _plain in SCHEMA:
            _added.type, _added.type_name = _added.TYPE_MESSAGE, f".inference.{_plain}"
        else:
            _added.type = getattr(_added, f"TYPE_{_plain.upper()}")
_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file)
ModelInferRequest, ModelInferResponse = (
    message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"inference.{_name}"))
    for _name in ("ModelInferRequest", "ModelInferResponse")
)
