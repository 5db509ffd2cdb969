"""When a snapshot is due: every step at first, then geometrically, and whenever the service asks."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

DENSE_STEPS = 10
GROWTH = 1.1
# A jump of the learning rate by more than a fifth after a constant stretch begins a new early phase.
LR_JUMP_LN = 0.2
LR_CONSTANT_STEPS = 5


@dataclass(frozen=True)
class Wish:
    """How often the service would like to have snapshots, from which step on, and until when."""

    from_step: int = 0
    every_steps: int = 1
    factor: float = 1.0
    #: 0: no end.
    until_step: int = 0
    for_s: float = 0.0

    @staticmethod
    def of(cadence: Any) -> "Wish":
        factor = cadence.factor if cadence.factor > 1 and math.isfinite(cadence.factor) else 1.0
        return Wish(cadence.from_step, max(1, cadence.every_steps), factor, cadence.until_step, cadence.for_ms / 1000.0)


class Cadence:
    """The rule that decides which steps are snapshotted. Called by the training thread; changed by the sender's.

    A wish is judged against the probe's own step: one that comes too late has ended before it begins.

    With `every` it is every so many steps from the first one on, whatever the service wishes.
    """

    def __init__(self, first_step: int = 0, every: Optional[int] = None, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._every = None if every is None else max(1, every)
        self._origin = first_step
        self._next = first_step
        self._wish: Optional[Wish] = None
        self._wished_at = 0.0
        self._taken: Optional[int] = None
        #: The newest step that it was asked about.
        self._step = first_step
        self._asked = ""
        self._lr = math.nan
        self._lr_since = first_step

    def due(self, step: int) -> str:
        """Why `step` should be snapshotted: `cadence` or `asked`; empty when it should not."""
        self._step = step
        if self._asked:
            return "asked"
        return "cadence" if step >= self._next else ""

    def taken(self, step: int) -> None:
        with self._lock:
            self._asked = ""
            self._taken = step
            self._next = self._after(step)

    def learning_rate(self, step: int, lr: float) -> None:
        """Called when the learning rate changed: a jump restarts the schedule."""
        with self._lock:
            before, since = self._lr, self._lr_since
            self._lr, self._lr_since = lr, step
            if self._every is not None:
                return
            if not (before > 0 and lr > 0) or step - since < LR_CONSTANT_STEPS:
                return
            if abs(math.log(lr / before)) > LR_JUMP_LN:
                self._origin = step
                self._next = min(self._next, step)

    def ask(self) -> None:
        if self._every is None:
            self._asked = "asked"

    @property
    def fixed(self) -> bool:
        """The owner of the job has said how often."""
        return self._every is not None

    def change(self, wish: Wish) -> None:
        if self._every is not None:
            return
        with self._lock:
            self._wish, self._wished_at = wish, self._now()
            if self._wished(self._step) is not None:
                taken = self._origin if self._taken is None else self._taken
                self._next = min(self._next, max(wish.from_step, self._origin, _next(wish, taken)))

    def _wished(self, step: int) -> Optional[Wish]:
        """The wish that holds at this step, if one does."""
        wish = self._wish
        if wish is None or (wish.until_step and step >= wish.until_step):
            return None
        if wish.for_s and self._now() - self._wished_at > wish.for_s:
            return None
        return wish

    def _after(self, step: int) -> int:
        if self._every is not None:
            # A snapshot that was late for want of a buffer does not shift those that follow.
            return step + self._every - (step - self._origin) % self._every
        wish = self._wished(step)
        if wish is not None and step >= wish.from_step:
            return _next(wish, step)
        age = step - self._origin
        if age < DENSE_STEPS:
            return step + 1
        return self._origin + max(age + 1, math.ceil(age * GROWTH))


def _next(wish: Wish, step: int) -> int:
    return max(step + wish.every_steps, math.ceil(step * wish.factor))
