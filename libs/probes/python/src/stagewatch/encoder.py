"""Turns what training left in the queue into numbered records. One thread, one producer of the journal."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Deque, Dict, List, Tuple, Union

from .journal import Journal
from .losses import Loss, Losses
from .quiet import Quiet
from .records import fill_gap, now_ms, printable
from .snapshots import SnapshotItem
from .wire import Record

POINTS_PER_RECORD = 4096
NAME_BYTES = 200
MOST_NAMES = 10_000
END_STATUSES = ("finished", "failed", "interrupted")
END_MESSAGE_CHARACTERS = 1000

#: name, step, value; a value that is not a float yet is a tensor on a device.
Point = Tuple[str, int, Any]
#: A loss in the queue was counted by the training thread, at this place in the order.
Item = Union[Point, SnapshotItem, Loss]


class Encoder:
    """Drains the queue. Every method is called by the encoder's thread only."""

    def __init__(self, items: Deque[Item], journal: Journal, losses: Losses, quiet: Quiet, first_step: int) -> None:
        self._items = items
        self._journal = journal
        self._losses = losses
        self._quiet = quiet
        self._step = first_step
        self._names: Dict[str, bool] = {}
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

    def end(self, status: str, message: str, unsaid: List[Loss]) -> None:
        """The last record; it and the last gaps are taken even where nothing else fits."""
        for loss in unsaid:
            self._losses.put_back(loss)
        self._gaps(force=True)
        record = self._record(self._step)
        if status not in END_STATUSES:
            status, message = "failed", f"{status}: {message}"
        record.end.status = status
        record.end.message = printable(message)[:END_MESSAGE_CHARACTERS]
        self._journal.append_record(record.SerializeToString(), record.step, force=True)

    def _points(self, points: List[Point]) -> None:
        if not points:
            return
        kept = [point for point in points if self._name_fits(point[0])]
        if len(kept) < len(points):
            self._losses.add("encode", points[0][1], points[-1][1], points=len(points) - len(kept))
        if not kept:
            return
        names: Dict[str, int] = {}
        indices = [names.setdefault(name, len(names)) for name, _, _ in kept]
        record = self._record(max(step for _, step, _ in kept))
        batch = record.scalars
        batch.names.extend(names)
        batch.name_index.extend(indices)
        batch.steps.extend([step for _, step, _ in kept])
        batch.values.extend(_floats([value for _, _, value in kept]))
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
        self._journal.append_snapshot(item)
        self.last_record_at = time.monotonic()

    def _gaps(self, force: bool = False) -> None:
        for loss in self._losses.take():
            record = self._record(loss.last_step)
            fill_gap(record.gap, loss.reason, loss.points, loss.snapshots, loss.first_step, loss.last_step)
            if not self._journal.append_record(record.SerializeToString(), record.step, force=force):
                # Still no room: said later, together with what follows.
                self._losses.put_back(loss)

    def _record(self, step: int) -> Any:
        # A step never decreases from record to record, whatever order points were logged in.
        self._step = max(self._step, step)
        return Record(sequence=self._journal.next_sequence, step=self._step, client_time_ms=now_ms())

    def _append(self, record: Any, points: int = 0, first_step: int = 0) -> bool:
        appended = self._journal.append_record(record.SerializeToString(), record.step, points, first_step)
        if appended:
            self.last_record_at = time.monotonic()
        return appended

    def _name_fits(self, name: str) -> bool:
        fits = self._names.get(name)
        if fits is None:
            fits = is_name(name)
            if len(self._names) < MOST_NAMES:
                self._names[name] = fits
            if not fits:
                self._quiet.warn(
                    f"name:{name[:40]!r}",
                    f"the name {name[:40]!r} is left out: a name has 1 to {NAME_BYTES} bytes and no control characters",
                )
        return fits


def is_name(name: str) -> bool:
    """What the service takes for a name: one bad name would cost the whole record."""
    try:
        return 0 < len(name.encode("utf-8")) <= NAME_BYTES and not any(c < " " or c == "\x7f" for c in name)
    except UnicodeEncodeError:
        return False


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

