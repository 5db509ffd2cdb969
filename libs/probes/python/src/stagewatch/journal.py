"""Records in order, from the moment they are numbered until the service has said that they are durable.

Small payloads stay in memory up to a bound and then go to the spool; a snapshot stays in its buffer while buffers are
plenty and goes to the spool when they are not. What fits nowhere is refused, and the encoder says so in a gap record.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, List, Optional, Union

from .snapshots import SnapshotItem
from .spool import Spool, SpoolRef

RECORD_MEMORY_BYTES = 16 * 1024 * 1024
# Snapshots may fill this much of the spool; the rest is for scalars, which are worth more by the byte.
SNAPSHOT_SHARE = 0.8


class Entry:
    """One numbered record. A snapshot's record is serialized when its blob has a name."""

    __slots__ = ("sequence", "step", "payload", "snapshot", "bytes", "points", "snapshots", "first_step",
                 "sent_bytes")

    def __init__(self, sequence: int, step: int, payload: Union[bytes, SpoolRef, None], snapshot: Optional[SnapshotItem],
                 size: int, points: int, first_step: int) -> None:
        self.sequence = sequence
        self.step = step
        self.payload = payload
        self.snapshot = snapshot
        self.bytes = size
        self.points = points
        self.snapshots = 0 if snapshot is None else 1
        self.first_step = first_step
        #: Size on the wire while it is under way.
        self.sent_bytes = 0


class Journal:
    """The encoder appends, the sender takes, the acknowledgement reader removes."""

    def __init__(self, spool: Spool, spool_limit_bytes: int, record_memory_bytes: int = RECORD_MEMORY_BYTES) -> None:
        self._spool = spool
        self._snapshot_limit_bytes = int(spool_limit_bytes * SNAPSHOT_SHARE)
        self._record_memory_bytes = record_memory_bytes
        self._waiting: Deque[Entry] = deque()
        self._in_flight: Deque[Entry] = deque()
        self._memory_bytes = 0
        self._snapshot_spool_bytes = 0
        self._next_sequence = 1
        self.changed = threading.Condition()
        self.in_flight_bytes = 0
        self.acknowledged = 0
        #: When the oldest thing in flight was sent, or the newest acknowledgement came.
        self.progress_at = time.monotonic()

    @property
    def next_sequence(self) -> int:
        return self._next_sequence

    @property
    def pending(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    @property
    def in_flight(self) -> List[Entry]:
        with self.changed:
            return list(self._in_flight)

    def append_record(self, payload: bytes, step: int, points: int = 0, first_step: int = 0, force: bool = False) -> bool:
        """Takes a record that was serialized with `next_sequence`; False when there is no room."""
        held: Union[bytes, SpoolRef, None] = payload
        if self._memory_bytes + len(payload) > self._record_memory_bytes and not force:
            held = self._spool.put(payload)
            if held is None:
                return False
        with self.changed:
            if isinstance(held, bytes):
                self._memory_bytes += len(payload)
            self._push(Entry(self._next_sequence, step, held, None, len(payload), points, first_step))
        return True

    def append_snapshot(self, item: SnapshotItem) -> bool:
        """Takes a snapshot; it moves to the spool when buffers run short."""
        held: Optional[SpoolRef] = None
        size = item.layout.total_bytes
        if item.pool.crowded and self._snapshot_spool_bytes + size <= self._snapshot_limit_bytes and item.buffer is not None:
            held = self._spool.put(item.buffer.bytes)
            if held is not None:
                item.release()
        with self.changed:
            if held is not None:
                self._snapshot_spool_bytes += size
            self._push(Entry(self._next_sequence, item.step, held, item, size, 0, item.step))
        return True

    def _push(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._next_sequence += 1
        self.changed.notify_all()

    def head(self) -> Optional[Entry]:
        """The next entry to send."""
        return self._waiting[0] if self._waiting else None

    def heads(self, most: int, most_bytes: int) -> List[Entry]:
        """Records at the head, up to the first snapshot."""
        with self.changed:
            taken: List[Entry] = []
            total = 0
            for entry in self._waiting:
                if entry.snapshot is not None or len(taken) >= most or (taken and total + entry.bytes > most_bytes):
                    break
                taken.append(entry)
                total += entry.bytes
            return taken

    def payload(self, entry: Entry) -> bytes:
        """The bytes of a record."""
        if isinstance(entry.payload, SpoolRef):
            return bytes(self._spool.view(entry.payload))
        if entry.payload is None:
            raise ValueError(f"record {entry.sequence} has no bytes of its own")
        return entry.payload

    def snapshot_bytes(self, entry: Entry) -> memoryview:
        """The bytes of a snapshot, wherever they are."""
        if isinstance(entry.payload, SpoolRef):
            return self._spool.view(entry.payload)
        if entry.snapshot is not None and entry.snapshot.buffer is not None:
            return entry.snapshot.buffer.bytes.data
        raise ValueError(f"snapshot {entry.sequence} has no bytes any more")

    def replace(self, entry: Entry, payload: bytes) -> None:
        """Puts another record in the place of one that was never accepted, under the same sequence."""
        with self.changed:
            self._forget(entry)
            entry.snapshot, entry.payload, entry.bytes = None, payload, len(payload)
            self._memory_bytes += len(payload)

    def sent(self, entries: List[Entry], sizes: List[int]) -> None:
        """These heads are under way."""
        with self.changed:
            if not self._in_flight:
                self.progress_at = time.monotonic()
            for entry, size in zip(entries, sizes):
                self._waiting.popleft()
                entry.sent_bytes = size
                self.in_flight_bytes += size
                self._in_flight.append(entry)

    def acknowledge(self, sequence: int) -> None:
        """Everything up to `sequence` is durable."""
        with self.changed:
            while self._in_flight and self._in_flight[0].sequence <= sequence:
                entry = self._in_flight.popleft()
                self.in_flight_bytes -= entry.sent_bytes
                self._forget(entry)
            self.acknowledged = max(self.acknowledged, sequence)
            self.progress_at = time.monotonic()
            self.changed.notify_all()

    def rewind(self, next_sequence: int) -> None:
        """A new stream goes on at `next_sequence`: what is older is durable, the rest is sent again."""
        with self.changed:
            self._waiting.extendleft(reversed(self._in_flight))
            self._in_flight.clear()
            self.in_flight_bytes = 0
            while self._waiting and self._waiting[0].sequence < next_sequence:
                self._forget(self._waiting.popleft())
            self.acknowledged = max(self.acknowledged, next_sequence - 1)
            self.changed.notify_all()

    def discard(self) -> int:
        """Drops everything (the service refused the run); returns how many records."""
        with self.changed:
            dropped = self.pending
            for entry in (*self._in_flight, *self._waiting):
                self._forget(entry)
            self._in_flight.clear()
            self._waiting.clear()
            self.in_flight_bytes = 0
            self.changed.notify_all()
            return dropped

    def wait(self, ready: Callable[[], Any], timeout_s: float) -> None:
        """Waits until `ready()` or something changed for that long."""
        with self.changed:
            self.changed.wait_for(ready, timeout_s)

    def wake(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _forget(self, entry: Entry) -> None:
        if entry.snapshot is not None:
            entry.snapshot.release()
        if isinstance(entry.payload, SpoolRef):
            if entry.snapshot is not None:
                self._snapshot_spool_bytes -= entry.payload.length
            self._spool.drop(entry.payload)
        elif isinstance(entry.payload, bytes):
            self._memory_bytes -= len(entry.payload)
        entry.payload = None
