"""Bytes that wait on disk while the service is away: append-only segments, removed once nothing in them is needed."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from typing import Any, BinaryIO, Dict, Optional

SEGMENT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class SpoolRef:
    """Where some bytes lie in the spool."""

    segment: int
    offset: int
    length: int


class Spool:
    """At most `limit_bytes` on disk. A full disk and a full spool are the same answer: None."""

    def __init__(self, limit_bytes: int, folder: Optional[str] = None) -> None:
        self._limit_bytes = limit_bytes
        self._parent = folder
        self._folder: Optional[str] = None
        self._lock = threading.Lock()
        self._current = 0
        self._file: Optional[BinaryIO] = None
        self._sizes: Dict[int, int] = {}
        self._living: Dict[int, int] = {}
        self.bytes = 0

    def put(self, data: Any) -> Optional[SpoolRef]:
        """Appends bytes (anything with the buffer protocol); None when they do not fit."""
        view = memoryview(data).cast("B")
        with self._lock:
            if self.bytes + len(view) > self._limit_bytes:
                return None
            try:
                file = self._segment()
                offset = self._sizes[self._current]
                file.seek(offset)
                file.write(view)
                file.flush()
            except OSError:
                self._seal()
                return None
            segment = self._current
            self._sizes[segment] += len(view)
            self._living[segment] += 1
            self.bytes += len(view)
            if self._sizes[segment] >= SEGMENT_BYTES:
                self._seal()
            return SpoolRef(segment, offset, len(view))

    def view(self, ref: SpoolRef) -> memoryview:
        """A view of the bytes, mapped and not read: a large snapshot costs no memory twice.

        The mapping goes with its last view and is never closed by hand: the transport may hold a chunk a little longer.
        """
        if ref.length == 0:
            return memoryview(b"")
        with open(self._path(ref.segment), "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(mapped) < ref.offset + ref.length:
            raise OSError(f"spool segment {ref.segment} is shorter than it was written")
        return memoryview(mapped)[ref.offset : ref.offset + ref.length]

    def drop(self, ref: SpoolRef) -> None:
        """These bytes are needed no more."""
        with self._lock:
            if ref.segment not in self._living:
                return
            self._living[ref.segment] -= 1
            if self._living[ref.segment] == 0:
                if ref.segment == self._current:
                    self._seal()
                self._remove(ref.segment)

    def close(self) -> None:
        """Removes everything."""
        with self._lock:
            self._seal()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
            self._sizes.clear()
            self._living.clear()
            self.bytes = 0

    def _segment(self) -> BinaryIO:
        if self._file is None:
            if self._folder is None:
                if self._parent is not None:
                    os.makedirs(self._parent, exist_ok=True)
                # Readable by this user only: snapshots and metrics are private to whoever trains.
                self._folder = tempfile.mkdtemp(prefix="stagewatch-spool-", dir=self._parent)
            self._current += 1
            self._file = open(self._path(self._current), "wb")
            self._sizes[self._current] = 0
            self._living[self._current] = 0
        return self._file

    def _seal(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError:
            pass
        if self._living.get(self._current) == 0:
            self._remove(self._current)

    def _remove(self, segment: int) -> None:
        self.bytes -= self._sizes.pop(segment, 0)
        self._living.pop(segment, None)
        try:
            os.unlink(self._path(segment))
        except OSError:
            pass

    def _path(self, segment: int) -> str:
        return os.path.join(self._folder or "", f"{segment:08d}.bin")
