"""Which step a loss belongs to.

A step is one optimizer update; step t is the update from θ_t to θ_{t+1}. The optimizer's hook counts updates, and a hook of
one parameter counts backward passes: a loss belongs to the update that steps its gradient. So the number is right whether
`run.step` is called before `optimizer.step()` or after it, once an update or once a micro-batch, and when a gradient scaler
skips an update.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional


class Report(NamedTuple):
    """Numbers that were reported together, with the step that they belong to."""

    step: int
    values: Mapping[str, Any]


_NOTHING: List[Report] = []


class StepClock:
    """Counts updates and matches reports to them."""

    def __init__(self, first_step: int, hooked: bool, order: str = "auto") -> None:
        #: The step of the next update.
        self.updates = first_step
        #: The newest step that was reported.
        self.reported = first_step - 1
        #: Reports that belonged to no update (it was skipped), or to one that had its report already.
        self.unmatched = 0
        self._hooked = hooked
        self._behind: Optional[int] = {"after": 1, "before": 0}.get(order)
        self._cycle: Optional[_Cycle] = None
        self._backwards = 0
        #: Reports come before their backward pass.
        self._ahead: Optional[bool] = None
        self._complete: List[Report] = []

    def count_backwards(self) -> None:
        """From now on `backward` is called. Where the order of calls was given, it stands."""
        if self._hooked and self._behind is None:
            self._cycle = _Cycle()

    def backward(self, was_zeroed: Callable[[], bool]) -> None:
        """A gradient is about to be accumulated; `was_zeroed` tells whether those before it have been cleared."""
        cycle = self._cycle
        if cycle is None:
            return
        self._backwards += 1
        if cycle.step is not None:
            cycle = self._next()
        elif cycle.backwards > 0 and was_zeroed():
            # Cleared without an update: it was skipped, and what was reported of it belongs to no step.
            kept = cycle.reports[cycle.backwards:] if self._ahead else []
            self.unmatched += len(cycle.reports) - len(kept)
            cycle = self._cycle = _Cycle(kept)
        cycle.backwards += 1

    def update(self, closure: bool = False) -> int:
        """An update begins; returns its step.

        A closure runs the backward passes inside the update: the order of calls alone tells then which report is whose.
        """
        step = self.updates
        self.updates = step + 1
        cycle = self._cycle
        if cycle is None:
            return step
        if cycle.step is not None:
            cycle = self._next()
        cycle.step = step
        cycle.before_update = len(cycle.reports)
        if cycle.reports and len(cycle.reports) >= cycle.backwards:
            self._finish(cycle)
        if closure or self._backwards == 0:
            self._behind = 0 if cycle.reports else None
            self._cycle = None
        return step

    def report(self) -> Optional[int]:
        """A loss is reported; returns its step by the order of calls, or None when that step has been reported already."""
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

    def take(self, values: Mapping[str, Any]) -> None:
        """Numbers are reported; `complete` gives those of a step once it has all of them."""
        cycle = self._cycle
        if cycle is None:
            step = self.report()
            if step is not None:
                self._complete.append(Report(step, values))
            return
        if self._ahead is None:
            self._ahead = self._backwards == 0
        if self._ahead and cycle.step is not None:
            cycle = self._next()
        if cycle.done:
            self.unmatched += 1
            return
        cycle.reports.append(values)
        if cycle.step is not None and (cycle.before_update == 0 or len(cycle.reports) >= cycle.backwards):
            self._finish(cycle)

    def complete(self) -> List[Report]:
        """What has become complete since it was last asked for, in the order of steps."""
        if not self._complete:
            return _NOTHING
        complete, self._complete = self._complete, []
        return complete

    def end(self) -> None:
        """No more will come of the newest update."""
        if self._cycle is not None and self._cycle.step is not None and not self._cycle.done and self._cycle.reports:
            self._finish(self._cycle)

    def _next(self) -> "_Cycle":
        self.end()
        self._cycle = _Cycle()
        return self._cycle

    def _finish(self, cycle: "_Cycle") -> None:
        if cycle.step is None:
            return
        cycle.done = True
        self.reported = cycle.step
        self._complete.append(Report(cycle.step, mean_of(cycle.reports)))


class _Cycle:
    """From the first backward pass (or report) of an update to its last report."""

    __slots__ = ("backwards", "reports", "step", "before_update", "done")

    def __init__(self, reports: Optional[List[Mapping[str, Any]]] = None) -> None:
        self.backwards = 0
        self.reports = [] if reports is None else reports
        #: Once the update has begun.
        self.step: Optional[int] = None
        self.before_update = 0
        self.done = False


def mean_of(reports: List[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of micro-batches; one alone as it is."""
    if len(reports) == 1:
        return reports[0]
    values: Dict[str, List[Any]] = {}
    for report in reports:
        for name, value in report.items():
            values.setdefault(name, []).append(value)
    return {name: sum(each[1:], each[0]) / len(each) for name, each in values.items()}
