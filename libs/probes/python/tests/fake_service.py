"""A collector in a few lines, in the same process: the wire contract with faults on demand. A unit-test double."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
import zlib
from concurrent import futures
from typing import Any, Callable, Dict, List, Optional, Set

import grpc

from stagewatch import wire


class Broken(Exception):
    pass


class FakeService:
    """Keeps everything in memory across `stop` and `start`, as a service keeps its data folder."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.runs: Dict[str, Dict[str, Any]] = {}
        self.by_instance: Dict[str, str] = {}
        self.records: Dict[str, Dict[int, Any]] = {}
        self.secrets: Dict[str, str] = {}
        self.lost: Set[str] = set()
        self.blobs: Dict[str, bytes] = {}
        self.partial: Dict[str, bytearray] = {}
        self.descriptions: List[Any] = []
        self.artifact_uploads: List[str] = []
        self.upload_begins: List[int] = []
        self.metadata: List[Dict[str, str]] = []
        self.duplicates = 0
        self.out_of_order: List[str] = []
        # Faults and knobs.
        self.gives_secrets = True
        self.credit = 1 << 20
        self.acknowledge = True
        self.acknowledge_twice = False
        self.refuse: Callable[[str, Any], Optional[Dict[str, Any]]] = lambda call, message: None
        self.break_upload_after: Optional[int] = None
        self.break_stream_after: Optional[int] = None
        self.upload_delay_s = 0.0
        self.metrics_per_run = 2000
        self.max_in_flight = 0
        self.controls: List[Any] = []
        self.address = ""
        self._server: Any = None
        self._port = 0

    def start(self) -> "FakeService":
        server = grpc.server(futures.ThreadPoolExecutor(32), options=(("grpc.so_reuseport", 0),
                                                                    ("grpc.max_receive_message_length", 1 << 26)))
        methods = {
            "AttachRun": grpc.unary_unary_rpc_method_handler(self._attach, wire.AttachRunRequest.FromString, _bytes),
            "DescribeModel": grpc.unary_unary_rpc_method_handler(self._describe, wire.DescribeModelRequest.FromString, _bytes),
            "UploadBlob": grpc.stream_stream_rpc_method_handler(self._upload, wire.UploadBlobRequest.FromString, _bytes),
            "StreamRecords": grpc.stream_stream_rpc_method_handler(self._stream, wire.StreamRecordsRequest.FromString, _bytes),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("stagewatch.v1.IngestService", methods),))
        for _ in range(100):
            try:
                bound = server.add_insecure_port(f"127.0.0.1:{self._port}")
            except RuntimeError:
                bound = 0
            if bound:
                break
            time.sleep(0.05)
        self._port = bound
        self.address = f"127.0.0.1:{bound}"
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(None).wait(5)
            self._server = None

    # What tests ask.

    def only_run(self) -> str:
        assert len(self.runs) == 1, list(self.runs)
        return next(iter(self.runs))

    def in_order(self, run: Optional[str] = None) -> List[Any]:
        records = self.records[run or self.only_run()]
        return [records[sequence] for sequence in sorted(records)]

    def points(self, run: Optional[str] = None) -> List[Any]:
        found = []
        for record in self.in_order(run):
            batch = record.scalars
            found += [(batch.names[i], step, value) for i, step, value in zip(batch.name_index, batch.steps, batch.values)]
        return found

    def bodies(self, kind: str, run: Optional[str] = None) -> List[Any]:
        return [record for record in self.in_order(run) if record.WhichOneof("body") == kind]

    def wait_for(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                value = condition()
            except (AssertionError, IndexError, KeyError, StopIteration):
                value = None
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError("waited in vain")

    # The calls.

    def _fail_if_refused(self, call: str, message: Any, context: Any) -> None:
        body = self.refuse(call, message)
        if body is not None:
            context.set_trailing_metadata((("stagewatch-error", json.dumps(body)),))
            context.abort(getattr(grpc.StatusCode, body.get("status", "INVALID_ARGUMENT")), body.get("message", ""))

    def _attach(self, request: Any, context: Any) -> Any:
        self.metadata.append(dict(context.invocation_metadata()))
        self._fail_if_refused("AttachRun", request, context)
        with self.lock:
            run = self.by_instance.get(request.instance_id)
            if run is None:
                self._refuse_if_taken(request, context)
                run = request.resume_run_id or f"run{len(self.runs) + 1}"
                attempt = self.runs[run]["attempt"] + 1 if run in self.runs else 1
                self.by_instance[request.instance_id] = run
                self.runs[run] = {"attempt": attempt, "request": request}
                self.records[run] = {}
                self.lost.discard(run)
                if self.gives_secrets:
                    self.secrets[run] = request.run_secret or secrets.token_urlsafe(32)
            answer = wire.AttachRunResponse(run_id=run, attempt=self.runs[run]["attempt"],
                                            next_sequence=len(self.records[run]) + 1, page_url=f"http://here/{run}", run_secret=self.secrets.get(run, ""))
            answer.limits.chunk_bytes = 64 * 1024
            answer.limits.message_bytes = 8 << 20
            answer.limits.metrics_per_run = self.metrics_per_run
            return answer

    def _refuse_if_taken(self, request: Any, context: Any) -> None:
        run = request.resume_run_id
        live = run in self.secrets and run not in self.lost and not self.bodies("end", run)
        if live and request.run_secret != self.secrets[run]:
            body = {"code": "RUN_TAKEN", "message": "the run is live", "retryAfterMs": 50}
            context.set_trailing_metadata((("stagewatch-error", json.dumps(body)),))
            context.abort(grpc.StatusCode.ABORTED, "taken")

    def _describe(self, request: Any, context: Any) -> Any:
        self._fail_if_refused("DescribeModel", request, context)
        model = request.model
        answer = wire.DescribeModelResponse()
        digests = [d for d in (model.graph_digest, model.train.digest, model.val.digest) if d]
        answer.missing_digests.extend(d for d in digests if f"artifacts/{d}" not in self.blobs)
        if not answer.missing_digests:
            self.descriptions.append(model)
        return answer

    def _upload(self, requests: Any, context: Any) -> Any:
        header = next(requests).header
        self._fail_if_refused("UploadBlob", header, context)
        key = f"{header.run_id}/{header.kind}/{header.key}"
        held = self.partial.setdefault(key, bytearray())
        self.upload_begins.append(len(held))
        yield wire.UploadBlobResponse(durable_bytes=len(held))
        for request in requests:
            if request.WhichOneof("part") == "end":
                break
            chunk = request.chunk
            assert chunk.offset == len(held), (chunk.offset, len(held))
            assert zlib.crc32(chunk.data) == chunk.crc32
            time.sleep(self.upload_delay_s)
            held += chunk.data
            if self.break_upload_after is not None and len(held) >= self.break_upload_after:
                self.break_upload_after = None
                context.abort(grpc.StatusCode.UNAVAILABLE, "killed in the middle of a chunk")
            yield wire.UploadBlobResponse(durable_bytes=len(held))
        else:
            return
        assert len(held) == header.total_bytes
        assert zlib.crc32(bytes(held)) == request.end.crc32, "CRC of the whole blob"
        if header.kind == wire.BLOB_KIND_ARTIFACT:
            assert hashlib.sha256(held).hexdigest() == header.key
            self.artifact_uploads.append(header.key)
            name = f"artifacts/{header.key}"
        else:
            name = f"runs/{header.run_id}/{header.key}"
        self.blobs[name] = bytes(held)
        yield wire.UploadBlobResponse(durable_bytes=len(held), blob=name)

    def _stream(self, requests: Any, context: Any) -> Any:
        hello = next(requests).hello
        self._fail_if_refused("StreamRecords", hello, context)
        records = self.records[hello.run_id]
        welcome = wire.StreamRecordsResponse()
        welcome.welcome.next_sequence = max(records, default=0) + 1
        welcome.welcome.credit_bytes = self.credit
        yield welcome
        for request in requests:
            yield from self._controls()
            self.max_in_flight = max(self.max_in_flight, request.ByteSize())
            for record in request.batch.records:
                self._fail_if_refused("Record", record, context)
                with self.lock:
                    newest = max(records, default=0)
                    if record.sequence <= newest:
                        self.duplicates += 1
                        continue
                    if record.sequence != newest + 1:
                        self.out_of_order.append(f"{newest} -> {record.sequence}")
                    if newest and record.step < records[newest].step:
                        self.out_of_order.append(f"step {records[newest].step} -> {record.step}")
                    records[record.sequence] = record
                if self.break_stream_after is not None and len(records) >= self.break_stream_after:
                    self.break_stream_after = None
                    # Durable, and not acknowledged: the probe must send it again, and it must count once.
                    context.abort(grpc.StatusCode.UNAVAILABLE, "killed")
            if self.acknowledge:
                answer = wire.StreamRecordsResponse()
                answer.acknowledgement.sequence = max(records, default=0)
                answer.acknowledgement.credit_bytes = self.credit
                yield answer
                if self.acknowledge_twice:
                    yield answer
            yield from self._controls()

    def _controls(self) -> Any:
        while self.controls:
            yield wire.StreamRecordsResponse(control=self.controls.pop(0))


def _bytes(message: Any) -> bytes:
    return message.SerializeToString()
