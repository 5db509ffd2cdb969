"""Copies of the parameters, made quickly into buffers that are used again and again."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, List, Mapping, Optional

import numpy as np
import numpy.typing as npt

from .layout import Layout, make_layout

MAX_BUFFERS = 64
MIN_BUFFERS = 2


class Buffer:
    """One snapshot's bytes. `ready` waits for a copy that a device has still under way."""

    __slots__ = ("bytes", "views", "ready")

    def __init__(self, array: npt.NDArray[np.uint8], views: List[Any]) -> None:
        self.bytes = array
        self.views = views
        self.ready: Optional[Callable[[], None]] = None


class BufferPool:
    """At most `memory_bytes` of snapshots (two at least), counted over all that have not been given back."""

    def __init__(self, make: Callable[[], Buffer], buffer_bytes: int, memory_bytes: int) -> None:
        self._make = make
        self._free: Deque[Buffer] = deque()
        self._lock = threading.Lock()
        self.most = min(MAX_BUFFERS, max(MIN_BUFFERS, memory_bytes // max(1, buffer_bytes)))
        self.in_use = 0

    def take(self) -> Optional[Buffer]:
        """A buffer, or None when all are on their way: the caller skips, and training does not wait."""
        with self._lock:
            if self.in_use >= self.most:
                return None
            self.in_use += 1
            buffer = self._free.popleft() if self._free else None
        return buffer if buffer is not None else self._make()

    def give_back(self, buffer: Buffer) -> None:
        with self._lock:
            self.in_use -= 1
            self._free.append(buffer)

    @property
    def crowded(self) -> bool:
        return self.in_use * 2 > self.most


class SnapshotItem:
    """A snapshot on its way: taken by training, sent by the sender."""

    __slots__ = ("step", "learning_rate", "reason", "layout", "buffer", "pool", "time_ms", "subject")

    def __init__(self, step: int, learning_rate: float, reason: str, layout: Layout, buffer: Optional[Buffer],
                 pool: Optional[BufferPool], time_ms: int, subject: Any = None) -> None:
        self.step = step
        self.learning_rate = learning_rate
        self.reason = reason
        self.layout = layout
        self.buffer = buffer
        self.pool = pool
        self.time_ms = time_ms
        #: The description that it needs, where that is not the one of the beginning.
        self.subject = subject

    def wait_ready(self) -> None:
        if self.buffer is not None and self.buffer.ready is not None:
            self.buffer.ready()
            self.buffer.ready = None

    def release(self) -> None:
        """Gives the memory back for the next snapshot."""
        buffer, self.buffer = self.buffer, None
        if buffer is not None and self.pool is not None:
            self.pool.give_back(buffer)


class ArrayParameters:
    """Parameters that a hand-written loop passes as arrays."""

    def __init__(self, example: Mapping[str, Any], memory_bytes: int) -> None:
        self.layout = make_layout(
            (str(name), "float64" if np.asarray(a).dtype == np.float64 else "float32", tuple(np.shape(a)))
            for name, a in example.items()
        )
        self.pool = BufferPool(self._make, self.layout.total_bytes, memory_bytes)

    def copy(self, source: Mapping[str, Any]) -> Optional[Buffer]:
        buffer = self.pool.take()
        if buffer is None:
            return None
        try:
            if len(source) != len(self.layout.slots):
                raise ValueError(f"{len(source)} parameters given, {len(self.layout.slots)} expected")
            for slot, view in zip(self.layout.slots, buffer.views):
                value = np.asarray(source[slot.name])
                if value.shape != slot.shape:
                    raise ValueError(f"parameter {slot.name} has shape {value.shape}, and had {slot.shape}")
                view[...] = value
            return buffer
        except BaseException:
            self.pool.give_back(buffer)
            raise

    def _make(self) -> Buffer:
        array = np.empty(self.layout.total_bytes, dtype=np.uint8)
        return Buffer(array, views_of(array, self.layout))


def views_of(array: npt.NDArray[np.uint8], layout: Layout) -> List[Any]:
    """One typed view into the buffer for each tensor."""
    return [array[s.offset : s.offset + s.bytes].view(s.dtype).reshape(s.shape) for s in layout.slots]
