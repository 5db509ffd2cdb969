"""Which step a loss belongs to.

A step is one optimizer update; step t is the update from θ_t to θ_{t+1}. The optimizer's hook counts updates, so the
number is right whether `run.step` is called before `optimizer.step()` or after it: the loss was computed at the
parameters that this update starts from.
"""

from __future__ import annotations

from typing import Optional


class StepClock:
    """Counts updates and matches reports to them."""

    __slots__ = ("updates", "reported", "unmatched", "_hooked", "_behind")

    def __init__(self, first_step: int, hooked: bool, order: str = "auto") -> None:
        #: The step of the next update.
        self.updates = first_step
        #: The newest step that was reported.
        self.reported = first_step - 1
        #: Reports that belonged to no update of their own (a skipped update, a micro-batch).
        self.unmatched = 0
        self._hooked = hooked
        self._behind: Optional[int] = {"after": 1, "before": 0}.get(order)

    def update(self) -> int:
        """An update begins; returns its step."""
        step = self.updates
        self.updates = step + 1
        return step

    def report(self) -> Optional[int]:
        """A loss is reported; returns its step, or None when that step has been reported already."""
        if not self._hooked:
            self.reported += 1
            self.updates = self.reported + 1
            return self.reported
        if self._behind is None:
            self._behind = 1 if self.updates > self.reported + 1 else 0
        step = self.updates - self._behind
        if step <= self.reported:
            self.unmatched += 1
            return None
        self.reported = step
        return step
