"""The bodies of records, and texts that can travel in them."""

from __future__ import annotations

import time
from typing import Any, Dict, Sequence, Tuple

from .snapshots import SnapshotItem


def fill_gap(gap: Any, reason: str, points: int, snapshots: int, first_step: int, last_step: int) -> None:
    gap.reason = reason
    gap.points = points
    gap.snapshots = snapshots
    gap.first_step = first_step
    gap.last_step = last_step


def fill_scalars(batch: Any, points: Sequence[Tuple[str, int, float]]) -> None:
    """Points as columns, in place of what is there."""
    names: Dict[str, int] = {}
    indices = [names.setdefault(name, len(names)) for name, _, _ in points]
    batch.Clear()
    batch.names.extend(names)
    batch.name_index.extend(indices)
    batch.steps.extend([step for _, step, _ in points])
    batch.values.extend([value for _, _, value in points])


def fill_snapshot(snapshot: Any, blob: str, item: SnapshotItem, announced: int) -> None:
    snapshot.blob = blob
    snapshot.taken = announced
    snapshot.step = item.step
    snapshot.learning_rate = item.learning_rate
    snapshot.reason = item.reason
    for slot in item.layout.slots:
        snapshot.tensors.add(name=slot.name, dtype=slot.dtype, shape=slot.shape, offset=slot.offset, bytes=slot.bytes)


def now_ms() -> int:
    return int(time.time() * 1000)


def printable(text: str) -> str:
    """Valid UTF-8 without control characters."""
    return "".join(" " if c < " " or c == "\x7f" else c for c in text.encode("utf-8", "replace").decode("utf-8"))
