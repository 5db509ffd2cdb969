"""What a job could not deliver before its end: one folder a job, until the next probe on this machine or `stagewatch sync` has sent it.

A folder holds `job.json`, `attach.bin` (the request that it attached with), `model.bin` and `artifacts/` where it described a model,
`records.bin` (each record behind its length, four bytes, little endian) and `snapshots/`. Sent twice, everything is stored once.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import struct
import time
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence

from .journal import Entry, Journal
from .layout import Layout, TensorSlot

from .snapshot_queue import QueuedSnapshot, SnapshotQueue
from .snapshots import SnapshotItem
from .spool import SpoolRef
from .wire import AttachRunRequest, ModelDescription, Record

DEFAULT_FOLDER = os.path.join("~", ".local", "state", "stagewatch", "undelivered")
VERSION = 1
# What nobody has come for in so long is not kept any longer.
MOST_AGE_S = 30 * 24 * 3600.0

_LENGTH = struct.Struct("<I")
# Of the stored files, as segments of what was a spool.
_RECORDS = 0


@dataclass(frozen=True)
class Job:
    """Who was sending, and what it had to send."""

    address: str
    request: Any
    model: Any
    artifacts: Dict[str, bytes]
    rank: int


def default_folder() -> str:
    return os.path.expanduser(os.environ.get("STAGEWATCH_UNDELIVERED_FOLDER") or DEFAULT_FOLDER)


def keep(folder: str, job: Job, journal: Journal, snapshots: SnapshotQueue, limit_bytes: int) -> str:
    """Writes what is left of a job, within `limit_bytes` of all that is kept; raises OSError where that is not possible."""
    name = str(job.request.instance_id)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    draft = os.path.join(folder, f".{name}")
    shutil.rmtree(draft, ignore_errors=True)
    # For the user of the job alone: what it logged and trained is nobody else's.
    for place in (draft, os.path.join(draft, "snapshots"), os.path.join(draft, "artifacts")):
        os.mkdir(place, 0o700)
    _write(os.path.join(draft, "attach.bin"), job.request.SerializeToString())
    if job.model is not None:
        _write(os.path.join(draft, "model.bin"), job.model.SerializeToString())
        for digest, data in job.artifacts.items():
            _write(os.path.join(draft, "artifacts", digest), data)
    with open(os.path.join(draft, "records.bin"), "wb") as file:
        for entry in journal.undelivered:
            payload = journal.payload(entry)
            file.write(_LENGTH.pack(len(payload)) + payload)
    kept = [_keep_snapshot(draft, snapshots, queued) for queued in snapshots.waiting]
    description = {
        "version": VERSION, "address": job.address, "name": job.request.name, "rank": job.rank, "made": time.time(),
        "next_sequence": journal.next_sequence,
        "records": journal.pending, "snapshots": kept,
    }
    _write(os.path.join(draft, "job.json"), json.dumps(description).encode())
    whole = os.path.join(folder, name)
    shutil.rmtree(whole, ignore_errors=True)
    os.rename(draft, whole)
    _tidy(folder, name, limit_bytes)
    return whole


def _keep_snapshot(draft: str, snapshots: SnapshotQueue, queued: QueuedSnapshot) -> Dict[str, Any]:
    item = queued.item
    _write(os.path.join(draft, "snapshots", f"{queued.announced}.bin"), snapshots.data(queued))
    return {
        "announced": queued.announced, "step": item.step, "learning_rate": item.learning_rate, "reason": item.reason,
        "time_ms": item.time_ms, "tensors": [vars(slot) for slot in item.layout.slots], "bytes": item.layout.total_bytes,
    }


def _write(path: str, data: Any) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _tidy(folder: str, newest: str, limit_bytes: int) -> None:
    """The oldest go where all of them together are too much."""
    others = sorted((job for job in list_jobs(folder) if job["id"] != newest), key=lambda job: -job["made"])
    total = _bytes_of(os.path.join(folder, newest))
    for job in others:
        total += _bytes_of(job["folder"])
        if total > limit_bytes or time.time() - job["made"] > MOST_AGE_S:
            shutil.rmtree(job["folder"], ignore_errors=True)


def _bytes_of(folder: str) -> int:
    return sum(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(folder) for name in names)


def list_jobs(folder: str) -> List[Dict[str, Any]]:
    """What each folder says of itself, with its `id` and `folder`, oldest first; what cannot be read is passed over."""
    jobs = []
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return []
    for name in names:
        place = os.path.join(folder, name)
        try:
            with open(os.path.join(place, "job.json"), "rb") as file:
                job = json.load(file)
            if job["version"] == VERSION:
                jobs.append({**job, "id": name, "folder": place})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(jobs, key=lambda job: float(job["made"]))


class StoredSpool:
    """The files of a folder in the place of a spool: they are read, and nothing is added."""

    bytes = 0

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def put(self, _data: Any) -> Optional[SpoolRef]:
        return None

    def drop(self, _ref: SpoolRef) -> None:
        return None

    def view(self, ref: SpoolRef) -> memoryview:
        if ref.length == 0:
            return memoryview(b"")
        name = "records.bin" if ref.segment == _RECORDS else os.path.join("snapshots", f"{ref.segment}.bin")
        with open(os.path.join(self._folder, name), "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return memoryview(mapped)[ref.offset : ref.offset + ref.length]


class StoredIdentity:
    """Attaches as the job did."""

    resume: Optional[str] = None
    join_attempt: Optional[int] = None

    def __init__(self, request: Any, rank: int) -> None:
        self._request = request
        self.instance_id = str(request.instance_id)
        self.rank = rank

    def request(self) -> Any:
        return AttachRunRequest.FromString(self._request.SerializeToString())


class StoredSubject:
    """Describes what the job described."""

    loss = None

    def __init__(self, folder: str, model: Any) -> None:
        self._folder = folder
        self._model = model

    def description(self) -> Any:
        return self._model

    def artifacts(self) -> Dict[str, bytes]:
        folder = os.path.join(self._folder, "artifacts")
        return {name: _read(os.path.join(folder, name)) for name in os.listdir(folder)}


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@dataclass(frozen=True)
class Stored:
    """A folder, opened for sending."""

    identity: StoredIdentity
    subject: Optional[StoredSubject]
    journal: Journal
    snapshots: SnapshotQueue


def open_job(job: Dict[str, Any]) -> Stored:
    """Raises OSError or ValueError where the folder is damaged."""
    folder = job["folder"]
    spool: Any = StoredSpool(folder)
    request = AttachRunRequest.FromString(_read(os.path.join(folder, "attach.bin")))
    model_path = os.path.join(folder, "model.bin")
    subject = StoredSubject(folder, ModelDescription.FromString(_read(model_path))) if os.path.exists(model_path) else None
    journal = Journal(spool)
    journal.restore(list(_entries(os.path.join(folder, "records.bin"))), int(job["next_sequence"]))
    snapshots = SnapshotQueue(spool, 0)
    snapshots.restore([_snapshot(kept) for kept in job["snapshots"]])
    return Stored(StoredIdentity(request, int(job["rank"])), subject, journal, snapshots)


def _entries(path: str) -> Iterator[Entry]:
    data = _read(path)
    offset = 0
    while offset < len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        if offset + length > len(data):
            raise ValueError(f"{path} is shorter than it was written")
        record = Record.FromString(data[offset : offset + length])
        yield Entry(record.sequence, record.step, SpoolRef(_RECORDS, offset, length), length, len(record.scalars.values))
        offset += length


def _snapshot(kept: Dict[str, Any]) -> QueuedSnapshot:
    slots: Sequence[TensorSlot] = [TensorSlot(**{**slot, "shape": tuple(slot["shape"])}) for slot in kept["tensors"]]
    layout = Layout(tuple(slots), int(kept["bytes"]))
    announced = int(kept["announced"])
    item = SnapshotItem(kept["step"], kept["learning_rate"], kept["reason"], layout, None, None, kept["time_ms"])
    return QueuedSnapshot(item, announced, SpoolRef(announced, 0, layout.total_bytes))


def job_of(address: str, identity: Any, sender: Any) -> Job:
    """What a job was, from what sends for it. Artifacts that the service has are not kept twice."""
    subject: Any = sender.subject
    model = sender.described if subject is None else subject.description()
    return Job(address, identity.request(), model, {} if subject is None else subject.artifacts(), identity.rank)


def discard(job: Dict[str, Any]) -> None:
    shutil.rmtree(job["folder"], ignore_errors=True)


