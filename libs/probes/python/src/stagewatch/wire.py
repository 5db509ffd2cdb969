"""The wire contract, loaded at run time from a serialized descriptor set.

Generated stubs are tied to one major version of the protobuf runtime, and a training job brings its own; descriptors
as data work with all of them. They live in a pool of their own, so nothing else in the process can collide with them.
"""

from __future__ import annotations

import pkgutil
import struct
from typing import Any, Iterator, List, Optional, Tuple

from ._grpc import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "stagewatch.v1"
_SERVICE = f"/{_PACKAGE}.IngestService"

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    # Reconnecting is the sender's business; a subchannel that is shared or backs off by itself would hide a service
    # that is back.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
    # A loopback service is never behind a proxy, and a proxy setting meant for downloads must not catch it.
    ("grpc.enable_http_proxy", 0),
)


def _load_pool() -> descriptor_pool.DescriptorPool:
    data = pkgutil.get_data(__package__, "_descriptors.binpb")
    if data is None:
        raise RuntimeError("the wheel lacks _descriptors.binpb")
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _load_pool()


def _message(name: str) -> Any:
    descriptor = _POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(_POOL).GetPrototype(descriptor)


AttachRunRequest = _message("AttachRunRequest")
AttachRunResponse = _message("AttachRunResponse")
DescribeModelRequest = _message("DescribeModelRequest")
DescribeModelResponse = _message("DescribeModelResponse")
UploadBlobRequest = _message("UploadBlobRequest")
UploadBlobResponse = _message("UploadBlobResponse")
StreamRecordsRequest = _message("StreamRecordsRequest")
StreamRecordsResponse = _message("StreamRecordsResponse")
StreamHello = _message("StreamHello")
ModelDescription = _message("ModelDescription")
Record = _message("Record")


def enum_value(enum: str, name: str) -> int:
    """The number of one enum value, such as `("BlobKind", "BLOB_KIND_SNAPSHOT")`."""
    return int(_POOL.FindEnumTypeByName(f"{_PACKAGE}.{enum}").values_by_name[name].number)


BLOB_KIND_ARTIFACT = enum_value("BlobKind", "BLOB_KIND_ARTIFACT")
BLOB_KIND_SNAPSHOT = enum_value("BlobKind", "BLOB_KIND_SNAPSHOT")
MODEL_FORMAT_ONNX = enum_value("ModelFormat", "MODEL_FORMAT_ONNX")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _delimited(field: int, payload: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(payload)) + payload


_BATCH_FIELD = StreamRecordsRequest.DESCRIPTOR.fields_by_name["batch"].number
_RECORDS_FIELD = _POOL.FindMessageTypeByName(f"{_PACKAGE}.RecordBatch").fields_by_name["records"].number


def batch_request(records: List[bytes]) -> bytes:
    """A StreamRecordsRequest of records that are serialized already: they are framed, not parsed again."""
    return _delimited(_BATCH_FIELD, b"".join(_delimited(_RECORDS_FIELD, record) for record in records))


_CHUNK = _POOL.FindMessageTypeByName(f"{_PACKAGE}.BlobChunk").fields_by_name
_CHUNK_FIELD = UploadBlobRequest.DESCRIPTOR.fields_by_name["chunk"].number


def chunk_request(offset: int, crc32: int, data: memoryview) -> bytes:
    """An UploadBlobRequest with a chunk, written with one copy of the data instead of protobuf's three."""
    head = b"".join((
        _varint(_CHUNK["offset"].number << 3), _varint(offset),
        _varint(_CHUNK["crc32"].number << 3 | 5), struct.pack("<I", crc32),
        _varint(_CHUNK["data"].number << 3 | 2), _varint(len(data)),
    ))
    return b"".join((_varint(_CHUNK_FIELD << 3 | 2), _varint(len(head) + len(data)), head, data))


def _serialize(message: Any) -> bytes:
    return message if isinstance(message, bytes) else bytes(message.SerializeToString())


class IngestClient:
    """The four calls of the ingest service on one channel."""

    def __init__(self, address: str, token: Optional[str]) -> None:
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._metadata: Tuple[Tuple[str, str], ...] = (("authorization", f"Bearer {token}"),) if token else ()
        unary = self._channel.unary_unary
        stream = self._channel.stream_stream
        self._attach = unary(f"{_SERVICE}/AttachRun", _serialize, AttachRunResponse.FromString)
        self._describe = unary(f"{_SERVICE}/DescribeModel", _serialize, DescribeModelResponse.FromString)
        self._upload = stream(f"{_SERVICE}/UploadBlob", _serialize, UploadBlobResponse.FromString)
        self._records = stream(f"{_SERVICE}/StreamRecords", _serialize, StreamRecordsResponse.FromString)

    def attach_run(self, request: Any, timeout_s: float) -> Any:
        return self._attach(request, timeout=timeout_s, metadata=self._metadata)

    def describe_model(self, request: Any, timeout_s: float) -> Any:
        return self._describe(request, timeout=timeout_s, metadata=self._metadata)

    def upload_blob(self, requests: Iterator[Any], timeout_s: float) -> Any:
        return self._upload(requests, timeout=timeout_s, metadata=self._metadata)

    def stream_records(self, requests: Iterator[Any]) -> Any:
        return self._records(requests, metadata=self._metadata)

    def close(self) -> None:
        self._channel.close()
