"""What snapshots may cost the training at most, whoever wishes for more."""

from __future__ import annotations

import time
from typing import Callable

# Of the time of the training loop, spent on copying.
TIME_SHARE = 0.02
BYTES_PER_S = 64 * 1024 * 1024
# That many may be on their way.
MOST_WAITING = 64
# What may be spent at once, so that the first steps of a training are seen one by one.
BURST_S = 0.5
BURST_BYTES = 1024 * 1024 * 1024


class Ceiling:
    """Two budgets that fill with time and empty with snapshots, and a bound of what waits."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._filled_at = now()
        self._seconds = BURST_S
        self._bytes = float(BURST_BYTES)

    def allows(self, waiting: int) -> bool:
        """Whether one more snapshot may be taken now, with so many on their way."""
        now = self._now()
        elapsed, self._filled_at = now - self._filled_at, now
        self._seconds = min(BURST_S, self._seconds + elapsed * TIME_SHARE)
        self._bytes = min(float(BURST_BYTES), self._bytes + elapsed * BYTES_PER_S)
        return self._seconds > 0 and self._bytes > 0 and waiting < MOST_WAITING

    def spent(self, seconds: float, size: int) -> None:
        self._seconds -= seconds
        self._bytes -= size
