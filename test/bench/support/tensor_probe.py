"""The Python side of `tensors.ts`: reads one order a line as JSON, sends the same bytes each time, answers the seconds.

Seconds run from the first byte handed over to the answer that all of it arrived; connecting is not among them.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from typing import Any, Dict

from stagewatch.uploads import CHUNK_BYTES, upload_blob
from stagewatch.wire import BLOB_KIND_SNAPSHOT, AttachRunRequest, IngestClient, UploadBlobRequest

data = memoryview(os.urandom(int(sys.argv[1]) * 1024 * 1024))
clients: Dict[str, Any] = {}


def attached(address: str) -> Any:
    if address not in clients:
        client = IngestClient(address, None)
        instance = f"bench-{os.getpid()}"
        request = AttachRunRequest(instance_id=instance, name="tensors", framework="bench")
        clients[address] = (client, client.attach_run(request, 30.0), instance)
    return clients[address]


def grpc(order: Dict[str, Any]) -> float:
    client, run, instance = attached(order["address"])
    header = UploadBlobRequest().header
    header.run_id, header.attempt, header.instance_id = run.run_id, run.attempt, instance
    header.kind, header.key, header.total_bytes = BLOB_KIND_SNAPSHOT, order["key"], len(data)
    chunk_bytes = order.get("chunk") or min(CHUNK_BYTES, run.limits.chunk_bytes or CHUNK_BYTES)
    started = time.perf_counter()
    upload_blob(client, header, data, chunk_bytes)
    return time.perf_counter() - started


def tcp(order: Dict[str, Any]) -> float:
    with socket.create_connection(("127.0.0.1", order["port"])) as connection:
        started = time.perf_counter()
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        return time.perf_counter() - started


def disk(order: Dict[str, Any]) -> float:
    file = os.open(order["path"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        started = time.perf_counter()
        for offset in range(0, len(data), 8 * 1024 * 1024):
            os.write(file, data[offset : offset + 8 * 1024 * 1024])
        os.fdatasync(file)
        return time.perf_counter() - started
    finally:
        os.close(file)
        os.unlink(order["path"])


for line in sys.stdin:
    given = json.loads(line)
    before = resource.getrusage(resource.RUSAGE_SELF)
    seconds = {"grpc": grpc, "tcp": tcp, "disk": disk}[given["how"]](given)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu}), flush=True)
