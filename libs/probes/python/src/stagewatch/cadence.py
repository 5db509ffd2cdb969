"""When a snapshot is due: every step at first, then geometrically, and whenever the service asks."""

from __future__ import annotations

import math
import threading
from typing import Optional

DENSE_STEPS = 10
GROWTH = 1.1
# A jump of the learning rate by more than a fifth after a constant stretch begins a new early phase.
LR_JUMP_LN = 0.2
LR_CONSTANT_STEPS = 5


class Cadence:
    """The rule that decides which steps are snapshotted. Called by the training thread; changed by the sender's.

    With `every` it is every so many steps from the first one on, whatever the service wishes.
    """

    def __init__(self, first_step: int = 0, every: Optional[int] = None) -> None:
        self._lock = threading.Lock()
        self._every = None if every is None else max(1, every)
        self._origin = first_step
        self._next = first_step
        self._from_step = 0
        self._every_steps = 0
        self._factor = 0.0
        self._asked = ""
        self._lr = math.nan
        self._lr_since = first_step

    def due(self, step: int) -> str:
        """Why `step` should be snapshotted: `cadence` or `asked`; empty when it should not."""
        if self._asked:
            return "asked"
        return "cadence" if step >= self._next else ""

    def taken(self, step: int) -> None:
        with self._lock:
            self._asked = ""
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

    def change(self, from_step: int, every_steps: int, factor: float) -> None:
        """After `from_step`: when the step has grown by `factor`, at least by `every_steps`."""
        if self._every is not None:
            return
        with self._lock:
            self._from_step = from_step
            self._every_steps = max(1, every_steps)
            self._factor = factor if factor > 1 and math.isfinite(factor) else 1.0
            self._next = min(self._next, max(from_step, self._origin))

    def _after(self, step: int) -> int:
        if self._every is not None:
            # A snapshot that was late for want of a buffer does not shift those that follow.
            return step + self._every - (step - self._origin) % self._every
        if self._every_steps and step >= self._from_step:
            return max(step + self._every_steps, math.ceil(step * self._factor))
        age = step - self._origin
        if age < DENSE_STEPS:
            return step + 1
        return self._origin + max(age + 1, math.ceil(age * GROWTH))
