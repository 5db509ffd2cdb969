"""Uploads snapshots beside the stream of records, and puts each into the journal once it has a name."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

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
#: Tells the service which network snapshots are of from now on.
Describe = Callable[[Any], None]
# What is under way before another network is described is waited for so long.
ORDER_S = 10.0


class Uploader:
    """Runs in one thread for as long as the pipeline lives; uploads while there is a connection."""

    def __init__(self, queue: SnapshotQueue, journal: Journal, quiet: Quiet) -> None:
        self._queue = queue
        self._journal = journal
        self._quiet = quiet
        self._upload: Optional[Upload] = None
        self._describe: Optional[Describe] = None
        #: The description that a snapshot asked for last.
        self.described: Any = None
        #: The newest record of a snapshot.
        self._newest = 0
        #: To be said once everything that waits has been uploaded.
        self._last: Any = None
        self._stopping = False
        self._tries = 0

    def connected(self, upload: Upload, describe: Describe) -> None:
        """From now on uploads go this way."""
        self._describe = describe
        self._upload = upload
        self._queue.wake()

    def describe_last(self, subject: Any) -> None:
        """No snapshot follows those that wait, and this is why."""
        self._last = subject
        self._queue.wake()

    @property
    def idle(self) -> bool:
        """Nothing waits to be uploaded or said."""
        return len(self._queue) == 0 and self._last is None

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
            if upload is not None and queued is None and self._last is not None:
                self._say_last()
            elif upload is None or queued is None:
                with self._queue.changed:
                    self._queue.changed.wait(1.0)
            else:
                self._try(queued, upload)

    def _try(self, queued: QueuedSnapshot, upload: Upload) -> None:
        try:
            if not self._delivered(queued, upload):
                self._pause()
        except Exception as error:
            self._quiet.trouble("uploading", error)
            self._pause()

    def _say_last(self) -> None:
        last = self._last
        try:
            self._see_described(last)
            self._last = None
        except Exception:
            # Said again when there is a connection.
            self._pause()
        self._journal.wake()

    def _delivered(self, queued: QueuedSnapshot, upload: Upload) -> bool:
        """False when it should be tried again."""
        item = queued.item
        record = Record(step=item.step, client_time_ms=item.time_ms)
        try:
            self._see_described(item.subject)
            if queued not in self._queue.waiting:
                # The network was refused, and its snapshots are wanted no more.
                self._queue.done(queued)
                return True
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
        if queued not in self._queue.waiting:
            # It was withdrawn meanwhile.
            self._queue.done(queued)
        else:
            self._newest = self._journal.append(record, snapshots=1, first_step=item.step, force=True)
            self._queue.done(queued)
        return True

    def _see_described(self, subject: Any) -> None:
        """A snapshot of another network than those before it waits until they have arrived, and describes its own."""
        if subject is None or subject is self.described or self._describe is None:
            return
        self._journal.wait(lambda: self._stopping or self._journal.acknowledged >= self._newest, ORDER_S)
        self._describe(subject)
        self.described = subject

    def withdraw(self, gone: "list[QueuedSnapshot]", reason: str) -> None:
        """Says that these will not come."""
        self._tries = 0
        withdraw(self._journal, gone, reason)
        for queued in gone:
            self._queue.done(queued)

    def _pause(self) -> None:
        time.sleep(PAUSE_S)


def withdraw(journal: Journal, gone: "list[QueuedSnapshot]", reason: str) -> None:
    """One gap for snapshots that were announced and will not come."""
    if not gone:
        return
    steps = [queued.item.step for queued in gone]
    record = Record(step=max(steps), client_time_ms=now_ms())
    fill_gap(record.gap, reason, 0, len(gone), min(steps), max(steps))
    record.gap.taken.extend(queued.announced for queued in gone)
    journal.append(record, force=True)
