"""Takes snapshots when they are due: a quick copy, handed over behind the loss of its step."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Optional, Union

from .cadence import Cadence
from .ceiling import Ceiling
from .handover import Handover
from .snapshots import ArrayParameters, Buffer, SnapshotItem

Parameters = Union[Mapping[str, Any], Callable[[], Mapping[str, Any]]]


class Taker:
    """Used by the training thread only."""

    def __init__(self, handover: Handover, cadence: Cadence, memory_bytes: int,
                 on_snapshot: Optional[Callable[[int], None]]) -> None:
        self._handover = handover
        self._cadence = cadence
        self._ceiling = Ceiling()
        self._memory_bytes = memory_bytes
        self._on_snapshot = on_snapshot
        self._pending: Optional[SnapshotItem] = None
        self._skipping = False
        #: Where parameters are copied from: `TorchSource`, or `ArrayParameters` from the first arrays on.
        self.source: Any = None
        self.taken = 0

    def model(self, step: int, rate: float, reason: str, reported: bool) -> None:
        """Copies the model that is trained, right before its update."""
        if reason != "last" and not self.may_take():
            return
        if self.source is None or not self._handover.pipeline.snapshots_wanted:
            return
        if self._on_snapshot is not None and reason != "last":
            self._on_snapshot(step)
        self.source.look(step)
        item = self._item(step, rate, reason, self._copied(self.source.copy))
        if item is None:
            return
        if reported:
            self._handover.snapshot(item)
        else:
            # After the step's own loss, so that a reader in order has seen it.
            self._pending = item

    def arrays(self, step: int, rate: float, parameters: Parameters) -> None:
        """Copies what a hand-written loop passes, when it is due."""
        reason = self._cadence.due(step)
        if not reason or not self.may_take():
            return
        if self._on_snapshot is not None:
            self._on_snapshot(step)
        values = parameters() if callable(parameters) else parameters
        if self.source is None:
            self.source = ArrayParameters(values, self._memory_bytes)
        source = self.source
        item = self._item(step, rate, reason, self._copied(lambda: source.copy(values)))
        if item is not None:
            self._handover.snapshot(item)

    def may_take(self) -> bool:
        """A step that is passed over stays due: the next one is looked at again. How often the owner wants them, he knows."""
        pipeline = self._handover.pipeline
        return pipeline.snapshots_wanted and (self._cadence.fixed or self._ceiling.allows(pipeline.snapshots_waiting))

    def _copied(self, copy: Callable[[], Optional[Buffer]]) -> Optional[Buffer]:
        began = time.perf_counter()
        buffer = copy()
        self._ceiling.spent(time.perf_counter() - began, 0 if buffer is None else self.source.layout.total_bytes)
        return buffer

    def release(self) -> None:
        """The pending snapshot's loss is in the queue, or will never come."""
        item, self._pending = self._pending, None
        if item is not None:
            self._handover.snapshot(item)

    def _item(self, step: int, rate: float, reason: str, buffer: Optional[Buffer]) -> Optional[SnapshotItem]:
        if buffer is None:
            # All buffers are on their way. It stays due, and one skipped snapshot is counted once.
            if not self._skipping:
                self._skipping = True
                self._handover.leave_out(step, snapshots=1)
            return None
        self._skipping = False
        self._cadence.taken(step)
        self.taken += 1
        return SnapshotItem(step, rate, reason, self.source.layout, buffer, self.source.pool, int(time.time() * 1000),
                            getattr(self.source, "subject", None))
