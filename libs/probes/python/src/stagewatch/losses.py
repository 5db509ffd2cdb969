"""What had to be left out, counted until it can be said in a gap record."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Dict, List


@dataclass
class Loss:
    reason: str
    points: int = 0
    snapshots: int = 0
    first_step: int = 0
    last_step: int = 0


class Losses:
    """Counts by reason; safe to call from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Dict[str, Loss] = {}
        self.points = 0
        self.snapshots = 0

    def add(self, reason: str, first_step: int, last_step: int, points: int = 0, snapshots: int = 0) -> None:
        with self._lock:
            self.points += points
            self.snapshots += snapshots
            self._count(Loss(reason, points, snapshots, first_step, last_step))

    def put_back(self, loss: Loss) -> None:
        """What was taken could not be said after all."""
        with self._lock:
            self._count(loss)

    def _count(self, more: Loss) -> None:
        loss = self._open.get(more.reason)
        if loss is None:
            self._open[more.reason] = more
            return
        loss.points += more.points
        loss.snapshots += more.snapshots
        loss.first_step = min(loss.first_step, more.first_step)
        loss.last_step = max(loss.last_step, more.last_step)

    def take(self) -> List[Loss]:
        """Everything that has not been said yet."""
        if not self._open:
            return []
        with self._lock:
            said, self._open = list(self._open.values()), {}
            return said
