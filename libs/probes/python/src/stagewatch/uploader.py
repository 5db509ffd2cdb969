"""Uploads snapshots beside the stream of records, and puts each into the journal once it has a name."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from ._grpc import grpc
from .errors import FATAL, Refused, Weather
from .journal import Journal
from .quiet import Quiet
from .records import fill_gap, fill_snapshot, now_ms
from .snapshot_queue import QueuedSnapshot, SnapshotQueue
from .wire import Record

TRIES = 5
PAUSE_S = 0.25

#: Uploads these bytes under this key and answers the name of the blob.
Upload = Callable[[str, memoryview], str]


class Uploader:
    """Runs in one thread for as long as the pipeline lives; uploads while there is a connection."""

    def __init__(self, queue: SnapshotQueue, journal: Journal, quiet: Quiet) -> None:
        self._queue = queue
        self._journal = journal
        self._quiet = quiet
        self._upload: Optional[Upload] = None
        self._stopping = False
        self._tries = 0

    def connected(self, upload: Upload) -> None:
        """From now on uploads go this way."""
        self._upload = upload
        self._queue.wake()

    def disconnected(self) -> None:
        self._upload = None
        self._queue.wake()

    def stop(self) -> None:
        self._stopping = True
        self._queue.wake()

    def run(self) -> None:
        """The thread's body."""
        while not self._stopping:
            upload = self._upload
            queued = None if upload is None else self._queue.take()
            if upload is None or queued is None:
                with self._queue.changed:
                    self._queue.changed.wait(1.0)
                continue
            try:
                if not self._delivered(queued, upload):
                    self._pause()
            except Exception as error:
                self._quiet.trouble("uploading", error)
                self._pause()

    def _delivered(self, queued: QueuedSnapshot, upload: Upload) -> bool:
        """False when it should be tried again."""
        item = queued.item
        record = Record(step=item.step, client_time_ms=item.time_ms)
        try:
            blob = upload(f"step-{item.step}-{queued.announced}", self._queue.data(queued))
            fill_snapshot(record.snapshot, blob, item, queued.announced)
        except (Refused, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: the interpreter is ending and gives the transport no new thread; the stream still goes on.
            if isinstance(error, Refused) and error.refusal.code in FATAL:
                return False
            self._quiet.warn("upload", f"a snapshot was not taken by the service: {error}")
            self.withdraw([queued], "upload")
            return True
        except (Weather, grpc.RpcError) as error:
            self._tries += 1
            if self._tries < TRIES or getattr(error, "code", "") in ("UNAVAILABLE", "STORAGE_FULL"):
                return False
            self._quiet.warn("upload", f"a snapshot could not be uploaded: {error}")
            self.withdraw([queued], "upload")
            return True
        self._tries = 0
        if queued in self._queue.waiting:
            self._journal.append(record, snapshots=1, first_step=item.step, force=True)
            self._queue.done(queued)
        return True

    def withdraw(self, gone: "list[QueuedSnapshot]", reason: str) -> None:
        """Says that these will not come."""
        self._tries = 0
        withdraw(self._journal, gone, reason)
        for queued in gone:
            self._queue.done(queued)

    def _pause(self) -> None:
        threading.Event().wait(PAUSE_S)


def withdraw(journal: Journal, gone: "list[QueuedSnapshot]", reason: str) -> None:
    """One gap for snapshots that were announced and will not come."""
    if not gone:
        return
    steps = [queued.item.step for queued in gone]
    record = Record(step=max(steps), client_time_ms=now_ms())
    fill_gap(record.gap, reason, 0, len(gone), min(steps), max(steps))
    record.gap.taken.extend(queued.announced for queued in gone)
    journal.append(record, force=True)
