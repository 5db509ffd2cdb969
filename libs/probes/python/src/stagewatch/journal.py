"""Records in order, from the moment they are numbered until the service has said that they are durable.

Small payloads stay in memory up to a bound and then go to the spool. What fits nowhere is refused, and the encoder says so in a
gap record. Snapshots wait in a queue of their own (`snapshot_queue`), so that no number waits for one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Iterable, List, Union

from .spool import Spool, SpoolRef

RECORD_MEMORY_BYTES = 16 * 1024 * 1024


class Entry:
    """One numbered record."""

    __slots__ = ("sequence", "step", "payload", "bytes", "points", "snapshots", "first_step", "sent_bytes")

    def __init__(self, sequence: int, step: int, payload: Union[bytes, SpoolRef, None], size: int, points: int = 0,
                 snapshots: int = 0, first_step: int = 0) -> None:
        self.sequence = sequence
        self.step = step
        self.payload = payload
        self.bytes = size
        self.points = points
        self.snapshots = snapshots
        self.first_step = first_step
        #: Size on the wire while it is under way.
        self.sent_bytes = 0


class Journal:
    """Encoder and uploader append, the sender takes, the acknowledgement reader removes."""

    def __init__(self, spool: Spool, record_memory_bytes: int = RECORD_MEMORY_BYTES) -> None:
        self._spool = spool
        self._record_memory_bytes = record_memory_bytes
        self._waiting: Deque[Entry] = deque()
        self._in_flight: Deque[Entry] = deque()
        self._memory_bytes = 0
        #: Held from the number to the place: records stand in the order of their numbers.
        self._numbering = threading.Lock()
        self._next_sequence = 1
        self._step = 0
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

    @property
    def undelivered(self) -> List[Entry]:
        """Everything that is not known to be durable, in order."""
        with self.changed:
            return [*self._in_flight, *self._waiting]

    def append(self, record: Any, points: int = 0, snapshots: int = 0, first_step: int = 0, force: bool = False) -> int:
        """Numbers a record and takes it; 0 when there is no room. Its step becomes the newest one, if it was older.

        A step never decreases from record to record, whatever order points were logged in.
        """
        with self._numbering:
            step = max(self._step, int(record.step))
            record.sequence, record.step = self._next_sequence, step
            payload = record.SerializeToString()
            held: Union[bytes, SpoolRef, None] = payload
            if self._memory_bytes + len(payload) > self._record_memory_bytes and not force:
                held = self._spool.put(payload)
                if held is None:
                    return 0
            entry = Entry(self._next_sequence, step, held, len(payload), points, snapshots, first_step)
            with self.changed:
                if isinstance(held, bytes):
                    self._memory_bytes += len(payload)
                self._waiting.append(entry)
                self._next_sequence += 1
                self._step = step
                self.changed.notify_all()
            return entry.sequence

    def restore(self, entries: Iterable[Entry], next_sequence: int) -> None:
        """Takes up where an earlier process ended."""
        with self.changed:
            self._waiting.extend(entries)
            self._next_sequence = next_sequence
            self._step = max((entry.step for entry in self._waiting), default=0)

    def head(self) -> Union[Entry, None]:
        """The next entry to send."""
        return self._waiting[0] if self._waiting else None

    def heads(self, most: int, most_bytes: int) -> List[Entry]:
        """Records at the head."""
        with self.changed:
            taken: List[Entry] = []
            total = 0
            for entry in self._waiting:
                if len(taken) >= most or (taken and total + entry.bytes > most_bytes):
                    break
                taken.append(entry)
                total += entry.bytes
            return taken

    def payload(self, entry: Entry) -> bytes:
        """The bytes of a record."""
        if isinstance(entry.payload, SpoolRef):
            return bytes(self._spool.view(entry.payload))
        if entry.payload is None:
            raise ValueError(f"record {entry.sequence} has no bytes any more")
        return entry.payload

    def replace(self, entry: Entry, payload: bytes) -> None:
        """Puts another record in the place of one that was never accepted, under the same sequence."""
        with self.changed:
            self._forget(entry)
            entry.payload, entry.bytes = payload, len(payload)
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
        if isinstance(entry.payload, SpoolRef):
            self._spool.drop(entry.payload)
        elif isinstance(entry.payload, bytes):
            self._memory_bytes -= len(entry.payload)
        entry.payload = None
