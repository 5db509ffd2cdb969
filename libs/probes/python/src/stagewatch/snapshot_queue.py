"""Snapshots that were announced and wait to be uploaded, oldest first.

They stay in their buffers while buffers are plenty, and go to the spool when they are not. Where there is no room either, those
go that are missed least, and the newest is kept.
"""

from __future__ import annotations

import threading
from typing import List, Optional, Sequence

from .snapshots import SnapshotItem
from .spool import Spool, SpoolRef

# Snapshots may fill this much of the spool; the rest is for scalars, which are worth more by the byte.
SPOOL_SHARE = 0.8
# More are never worth their measurements: of a job that ran while nobody listened, say.
MOST_QUEUED = 256


class QueuedSnapshot:
    """A snapshot under the sequence of the record that announced it."""

    __slots__ = ("item", "announced", "held", "under_way")

    def __init__(self, item: SnapshotItem, announced: int, held: Optional[SpoolRef] = None) -> None:
        self.item = item
        self.announced = announced
        self.held = held
        self.under_way = False


class SnapshotQueue:
    """The encoder appends, the uploader takes."""

    def __init__(self, spool: Spool, spool_limit_bytes: int) -> None:
        self._spool = spool
        self._limit_bytes = int(spool_limit_bytes * SPOOL_SHARE)
        self._queued: List[QueuedSnapshot] = []
        self._spooled_bytes = 0
        self.changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._queued)

    @property
    def waiting(self) -> List[QueuedSnapshot]:
        with self.changed:
            return list(self._queued)

    def append(self, item: SnapshotItem, announced: int) -> List[QueuedSnapshot]:
        """Takes a snapshot, and answers which others had to go to make room for it."""
        queued = QueuedSnapshot(item, announced)
        with self.changed:
            self._queued.append(queued)
            gone: List[QueuedSnapshot] = []
            while len(self._queued) > MOST_QUEUED or (_is_crowded(item) and not self._spooled(queued)):
                victim = self._least_missed()
                if victim is None:
                    break
                self._remove(victim)
                gone.append(victim)
            self.changed.notify_all()
            return gone

    def restore(self, queued: Sequence[QueuedSnapshot]) -> None:
        """Takes up where an earlier process ended."""
        with self.changed:
            self._queued.extend(queued)

    def take(self) -> Optional[QueuedSnapshot]:
        """The next one to upload; it stays until `done`."""
        with self.changed:
            if not self._queued:
                return None
            self._queued[0].under_way = True
            return self._queued[0]

    def data(self, queued: QueuedSnapshot) -> memoryview:
        """Its bytes, wherever they are."""
        with self.changed:
            if queued.held is not None:
                return self._spool.view(queued.held)
            if queued.item.buffer is not None:
                return memoryview(queued.item.buffer.bytes.data)
        raise ValueError(f"the snapshot of step {queued.item.step} has no bytes any more")

    def done(self, queued: QueuedSnapshot) -> None:
        """It was uploaded, or never will be."""
        with self.changed:
            queued.under_way = False
            if queued in self._queued:
                self._queued.remove(queued)
            self._release(queued)
            self.changed.notify_all()

    def clear(self) -> List[QueuedSnapshot]:
        """Drops all of them and answers which."""
        with self.changed:
            gone = list(self._queued)
            for queued in gone:
                self._remove(queued)
            self.changed.notify_all()
            return gone

    def wake(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _spooled(self, queued: QueuedSnapshot) -> bool:
        if queued.held is not None:
            return True
        size = queued.item.layout.total_bytes
        if queued.item.buffer is None or self._spooled_bytes + size > self._limit_bytes:
            return False
        queued.held = self._spool.put(queued.item.buffer.bytes)
        if queued.held is None:
            return False
        self._spooled_bytes += size
        queued.item.release()
        return True

    def _least_missed(self) -> Optional[QueuedSnapshot]:
        index = least_missed([queued.item.step for queued in self._queued], [queued.under_way for queued in self._queued])
        return None if index is None else self._queued[index]

    def _remove(self, queued: QueuedSnapshot) -> None:
        self._queued.remove(queued)
        # Whoever uploads it still reads its bytes, and says so when he has done.
        if not queued.under_way:
            self._release(queued)

    def _release(self, queued: QueuedSnapshot) -> None:
        queued.item.release()
        if queued.held is not None:
            self._spooled_bytes -= queued.held.length
            self._spool.drop(queued.held)
            queued.held = None


def _is_crowded(item: SnapshotItem) -> bool:
    return item.pool is not None and item.pool.crowded


def least_missed(steps: Sequence[int], kept: Sequence[bool]) -> Optional[int]:
    """Which of these steps leaves the smallest hole, as a factor, between its neighbours; never the newest, and none that is kept.

    Taken again and again, what is left is spaced geometrically, as snapshots are taken.
    """
    best, smallest = None, 0.0
    for index in range(len(steps) - 1):
        if kept[index]:
            continue
        before = steps[index - 1] if index > 0 else -1
        hole = (steps[index + 1] + 1) / (before + 1) if before >= 0 else float(steps[index + 1] + 2)
        if best is None or hole < smallest:
            best, smallest = index, hole
    return best
