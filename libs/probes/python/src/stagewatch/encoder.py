"""Turns what training left in the queue into numbered records. One thread, one producer of the journal."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple, Union

from .journal import Journal
from .losses import Loss, Losses
from .names import Names
from .quiet import Quiet
from .records import fill_gap, fill_scalars, now_ms, printable
from .snapshot_queue import SnapshotQueue
from .snapshots import SnapshotItem
from .uploader import withdraw
from .wire import Record

POINTS_PER_RECORD = 4096
END_STATUSES = ("finished", "failed", "interrupted")
END_MESSAGE_CHARACTERS = 1000

#: name, step, value; a value that is not a float yet is a tensor on a device.
Point = Tuple[str, int, Any]
#: A loss in the queue was counted by the training thread, at this place in the order.
Item = Union[Point, SnapshotItem, Loss]


class Encoder:
    """Drains the queue. Every method is called by the encoder's thread only."""

    def __init__(self, items: Deque[Item], journal: Journal, snapshots: SnapshotQueue, losses: Losses, quiet: Quiet,
                 first_step: int) -> None:
        self._items = items
        self._journal = journal
        self._snapshots = snapshots
        self._losses = losses
        self._quiet = quiet
        self._step = first_step
        self.names = Names(quiet)
        #: Points of names that have no place, and their first and last step: said once at first, and all of them at the end.
        self._unnamed: Optional[Loss] = None
        self.snapshots_on = True
        self.last_record_at = time.monotonic()

    def drain(self) -> None:
        """Encodes what is in the queue now."""
        points: List[Point] = []
        items = self._items
        for _ in range(len(items)):
            try:
                item = items.popleft()
            except IndexError:
                break
            if isinstance(item, tuple):
                points.append(item)
                if len(points) >= POINTS_PER_RECORD:
                    self._points(points)
                    points = []
                continue
            self._points(points)
            points = []
            if isinstance(item, Loss):
                self._losses.put_back(item)
            else:
                self._snapshot(item)
        self._points(points)
        self._gaps()

    def heartbeat(self, spooled_bytes: int) -> None:
        record = self._record(self._step)
        record.heartbeat.queued_records = self._journal.pending
        record.heartbeat.spooled_bytes = spooled_bytes
        self._append(record)

    def without_new_names(self, record: Any) -> Any:
        """A record that was refused for its names, with those that have their places already; None where that changes nothing.

        Called by the sender's thread.
        """
        self.names.close()
        batch = record.scalars
        kept = [i for i, index in enumerate(batch.name_index) if self.names.kept(batch.names[index], record.sequence)]
        if not kept or len(kept) == len(batch.values):
            return None
        columns = [(batch.names[batch.name_index[i]], batch.steps[i], batch.values[i]) for i in kept]
        self._losses.add("names", min(batch.steps), max(batch.steps), points=len(batch.values) - len(kept))
        fill_scalars(batch, columns)
        return record

    def end(self, status: str, message: str, unsaid: List[Loss]) -> None:
        """The last record; it and the last gaps are taken even where nothing else fits."""
        for loss in unsaid:
            self._losses.put_back(loss)
        if self._unnamed is not None and self._unnamed.points:
            self._losses.put_back(self._unnamed)
        self._gaps(force=True)
        record = self._record(self._step)
        if status not in END_STATUSES:
            status, message = "failed", f"{status}: {message}"
        record.end.status = status
        record.end.message = printable(message)[:END_MESSAGE_CHARACTERS]
        self._journal.append(record, force=True)

    def _points(self, points: List[Point]) -> None:
        if not points:
            return
        sequence = self._journal.next_sequence
        refusals = [self.names.refusal(name, sequence) for name, _, _ in points]
        kept = [point for point, refusal in zip(points, refusals) if not refusal]
        unfit, unnamed = refusals.count("encode"), refusals.count("names")
        if unfit:
            self._losses.add("encode", points[0][1], points[-1][1], points=unfit)
        if unnamed:
            self._count_unnamed(unnamed, points[0][1], points[-1][1])
        if not kept:
            return
        record = self._record(max(step for _, step, _ in kept))
        values = _floats([value for _, _, value in kept])
        fill_scalars(record.scalars, [(name, step, value) for (name, step, _), value in zip(kept, values)])
        if not self._append(record, len(kept), kept[0][1]):
            self._losses.add("spool", kept[0][1], record.step, points=len(kept))

    def _snapshot(self, item: SnapshotItem) -> None:
        self._step = max(self._step, item.step)
        if not self.snapshots_on:
            item.release()
            return
        try:
            item.wait_ready()
        except Exception as error:
            item.release()
            self._losses.add("encode", item.step, item.step, snapshots=1)
            self._quiet.trouble("copying a snapshot", error)
            return
        self._gaps()
        record = self._record(item.step)
        record.taken.learning_rate = item.learning_rate
        record.taken.reason = item.reason
        announced = self._journal.append(record)
        if not announced:
            item.release()
            self._losses.add("spool", item.step, item.step, snapshots=1)
            return
        withdraw(self._journal, self._snapshots.append(item, announced), "spool")
        self.last_record_at = time.monotonic()

    def _count_unnamed(self, points: int, first_step: int, last_step: int) -> None:
        if self._unnamed is None:
            self._unnamed = Loss("names", 0, 0, first_step, last_step)
            self._losses.add("names", first_step, last_step, points=points)
            return
        self._losses.points += points
        self._unnamed.points += points
        self._unnamed.last_step = last_step

    def _gaps(self, force: bool = False) -> None:
        for loss in self._losses.take():
            record = self._record(loss.last_step)
            fill_gap(record.gap, loss.reason, loss.points, loss.snapshots, loss.first_step, loss.last_step)
            if not self._journal.append(record, force=force):
                # Still no room: said later, together with what follows.
                self._losses.put_back(loss)

    def _record(self, step: int) -> Any:
        # A step never decreases from record to record, whatever order points were logged in.
        self._step = max(self._step, step)
        return Record(step=self._step, client_time_ms=now_ms())

    def _append(self, record: Any, points: int = 0, first_step: int = 0) -> bool:
        appended = self._journal.append(record, points, first_step=first_step) > 0
        if appended:
            self.last_record_at = time.monotonic()
        return appended


def _floats(values: List[Any]) -> List[float]:
    """Values as floats; tensors of a device come over in one transfer."""
    waiting = [index for index, value in enumerate(values) if type(value) is not float]
    if waiting:
        fetched = _fetch([values[index] for index in waiting])
        for index, value in zip(waiting, fetched):
            values[index] = value
    return values


def _fetch(tensors: List[Any]) -> List[float]:
    try:
        import torch

        return [float(v) for v in torch.stack([t.reshape(()).to(torch.float64) for t in tensors]).tolist()]
    except Exception:
        # Several devices or shapes: one by one. What cannot be read is a NaN, which is data too.
        return [_fetch_one(tensor) for tensor in tensors]


def _fetch_one(tensor: Any) -> float:
    try:
        return float(tensor.item())
    except Exception:
        return float("nan")


def new_queue() -> Deque[Item]:
    return deque()

