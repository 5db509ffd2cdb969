"""The training thread's end of the queue: appends and returns, whatever happens at the other end."""

from __future__ import annotations

from typing import Any

from .pipeline import Pipeline
from .snapshots import SnapshotItem

#: Numbers that training may be ahead of the encoder; more are counted and left out.
MOST_QUEUED = 200_000
#: So many do not wait for the next flush.
WAKE_AT = 20_000


class Handover:
    """Puts numbers and snapshots into the queue in the order of steps, or counts what it leaves out."""

    __slots__ = ("pipeline", "newest", "_items", "_left_out")

    def __init__(self, pipeline: Pipeline, first_step: int) -> None:
        self.pipeline = pipeline
        #: The newest step that anything was handed over for.
        self.newest = first_step
        self._items: Any = pipeline.items
        self._left_out = False

    def point(self, name: str, step: int, value: Any) -> None:
        items = self._items
        queued = len(items)
        if queued >= MOST_QUEUED:
            self.leave_out(step, points=1)
            return
        if self._left_out:
            # Into the queue, so that the gap comes where it was.
            self._left_out = False
            items.extend(self.pipeline.behind.take())
        if type(value) is not float:
            value = plain(value)
        items.append((name, step, value))
        if step > self.newest:
            self.newest = step
        if queued > WAKE_AT:
            self.pipeline.wake()

    def snapshot(self, item: SnapshotItem) -> None:
        if item.step > self.newest:
            self.newest = item.step
        self._items.append(item)
        self.pipeline.wake()

    def leave_out(self, step: int, points: int = 0, snapshots: int = 0) -> None:
        self.pipeline.behind.add("memory", step, step, points, snapshots)
        self._left_out = True


def plain(value: Any) -> Any:
    """A float, or a tensor on a device that the encoder's thread fetches: reading it here would stall training."""
    if hasattr(value, "detach"):
        if on_device(value):
            # Cloned, because a captured graph writes its loss into the same memory at each replay.
            return value.detach().clone()
        return float(value.item())
    return float(value.item()) if hasattr(value, "item") else float(value)


def on_device(value: Any) -> bool:
    """True for a number whose reading would wait for a device."""
    return hasattr(value, "device") and getattr(value.device, "type", "cpu") != "cpu"
