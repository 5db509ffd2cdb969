"""A run that is being watched: what a training loop calls."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from typing import Any, Callable, Dict, Mapping, Optional

from . import lifecycle
from .cadence import Cadence
from .clock import StepClock
from .handover import Handover, on_device, plain
from .identity import Attached
from .outcome import Outcome, released_by_error, status_of
from .pipeline import Pipeline
from .quiet import Quiet
from .taker import Parameters, Taker


class Run:
    """Made by `attach`. No method raises because of the probe or the service, and none waits for them but `finish`.

    As a context manager it is finished at the end of the block, with status `failed` when an exception left it.
    """

    def __init__(self, pipeline: Pipeline, clock: StepClock, cadence: Cadence, quiet: Quiet, memory_bytes: int,
                 on_snapshot: Optional[Callable[[int], None]] = None) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._cadence = cadence
        self._quiet = quiet
        self._handover = Handover(pipeline, clock.updates)
        self._taker = Taker(self._handover, cadence, memory_bytes, on_snapshot)
        self._on = True
        self._ended = False
        self._outcome = Outcome(clock)
        self._looked = False
        self._delivered = False
        self._first_step = clock.updates
        self._optimizer: Callable[[], Any] = _nothing
        self._unhook: Callable[[], Any] = _nothing
        #: What is seen of training beside its updates; None in hand-written loops.
        self._hooks: Any = None
        self._batch_size = 0
        self._other_size = 0
        #: The rate as the optimizer holds it (to see at a glance that it is the same object), and as a number.
        self._rate_seen: Any = None
        self._rate = float("nan")
        self._trained_by_main_thread = threading.current_thread() is threading.main_thread()

    # What training calls.

    def step(self, loss: Any = None, parameters: Optional[Parameters] = None, **scalars: Any) -> None:
        """Reports the step's training loss: once for each optimizer update, right before or right after it, or once a micro-batch.

        Arguments:
            loss: a number or a tensor; becomes `loss.train`.
            parameters: for hand-written loops only: the parameters before this step's update, or a function that gives
                them (it is only called when a snapshot is due).
            scalars: other numbers of this step, by their names.
        """
        if not self._on:
            return
        try:
            if not self._looked:
                self._look()
            given = scalars if loss is None else {"loss.train": loss, **scalars}
            # Plain at once: what waits for its step must not hold the graph of a loss.
            self._clock.take({name: plain(value) for name, value in given.items()})
            step = self._say()
            if step is None:
                return
            if parameters is not None:
                self._taker.arrays(step, self._rate, parameters)
            else:
                self._taker.release()
        except Exception as error:
            self._quiet.trouble("run.step", error)

    def log(self, values: Mapping[str, Any]) -> None:
        """Other numbers, at the newest step: `run.log({"loss.val": 0.3})`."""
        if not self._on:
            return
        try:
            for name, value in values.items():
                self._handover.point(str(name), self._handover.newest, value)
        except Exception as error:
            self._quiet.trouble("run.log", error)

    def learning_rate(self, value: float) -> None:
        """For hand-written loops: the learning rate from the next update on."""
        if not self._on:
            return
        try:
            self._new_rate(self._clock.updates, float(value))
        except Exception as error:
            self._quiet.trouble("run.learning_rate", error)

    def finish(self, status: Optional[str] = None, message: str = "") -> bool:
        """Ends the run: a last snapshot, then waits, within bounds, until everything is durable.

        Called while an error is being handled, in `except` or `finally`, it ends the run as failed, in the error's words.
        Returns True when every number that was handed over is durable at the service, and so is the end.
        """
        try:
            if status is None:
                error = sys.exc_info()[1]
                handled = status_of(error) if error is not None and not isinstance(error, StopIteration) else ("finished", "")
                status, message = handled[0], message or handled[1]
            self._end(status, message, wait=True)
        except Exception as error:
            self._quiet.trouble("run.finish", error)
        return self._delivered

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: Any, error: Any, _trace: Any) -> None:
        self.finish(*(("finished", "") if error is None else status_of(error)))

    # What it knows.

    @property
    def id(self) -> Optional[str]:
        """The run's id, once the service has answered."""
        attached = self._attached
        return attached.run_id if attached is not None else None

    @property
    def attempt(self) -> Optional[int]:
        """Counts restarts of the run; known with the id."""
        attached = self._attached
        return attached.attempt if attached is not None else None

    @property
    def url(self) -> Optional[str]:
        """Where people can look at this run, once the service has answered."""
        attached = self._attached
        return attached.page_url if attached is not None else None

    @property
    def _attached(self) -> Optional[Attached]:
        return self._pipeline.attached

    def wait_attached(self, seconds: float = 10.0) -> bool:
        """Waits until the service has answered; for scripts that print the address or need the id."""
        until = time.monotonic() + seconds
        while self.id is None and time.monotonic() < until and self._on:
            time.sleep(0.02)
        return self.id is not None

    def status(self) -> Dict[str, Any]:
        """The probe's own state, as plain data."""
        return {"watching": self._on, "run": self.id, "step": self._clock.reported, "snapshots": self._taker.taken,
                "unmatched_reports": self._clock.unmatched, **self._pipeline.status()}

    # What the optimizer's hook calls.

    def _before_update(self, closure: bool = False) -> None:
        """θ_t is still in place, and the learning rate is the one that this update uses."""
        if not self._on:
            return
        try:
            if not self._looked:
                self._look()
            self._taker.release()
            step = self._clock.update(closure)
            self._say()
            hooks = self._hooks
            if hooks is not None:
                self._batch(step, hooks.examples_of_update(self._clock.unmatched, closure))
            reason = self._cadence.due(step)
            optimizer = self._optimizer()
            if optimizer is not None:
                rate = optimizer.param_groups[0]["lr"]
                if rate is not self._rate_seen and (reason or not on_device(rate)):
                    self._rate_seen = rate if isinstance(rate, float) else None
                    self._new_rate(step, float(rate))
                    reason = self._cadence.due(step)
            if reason and self._taker.may_take():
                clip = hooks.clipping() if hooks is not None else None
                if clip is not None:
                    self._handover.point("gradient.clip", step, clip)
                self._taker.model(step, self._rate, reason, reported=self._clock.reported >= step)
        except Exception as error:
            self._quiet.trouble("the optimizer's hook", error)

    def _count_calls(self, first_step: int) -> None:
        """A step is a call of `step`, as in loops that are written by hand."""
        self._clock = self._outcome.clock = StepClock(first_step, False)

    def _look(self) -> None:
        self._looked = True
        self._outcome.look()

    def _batch(self, step: int, size: Optional[int]) -> None:
        """This update is of so many examples. The last batch of an epoch is smaller, and no change: another size comes twice."""
        if not size or size == self._batch_size:
            self._other_size = 0
        elif self._batch_size and size != self._other_size:
            self._other_size = size
        else:
            self._batch_size, self._other_size = size, 0
            self._handover.point("batch_size", step, float(size))

    def _say(self) -> Optional[int]:
        """Hands over the numbers of steps that are complete; the newest of them, or None."""
        step = None
        for report in self._clock.complete():
            step = report.step
            for name, value in report.values.items():
                self._handover.point(name, step, value)
        return step

    def _new_rate(self, step: int, value: float) -> None:
        if value != self._rate:
            self._rate = value
            self._handover.point("lr", step, value)
            self._cadence.learning_rate(step, value)

    # The end.

    def _end(self, status: str, message: str, wait: bool) -> None:
        if self._ended:
            return
        self._ended = True
        was_on = self._on
        try:
            if was_on:
                self._clock.end()
                self._say()
                self._taker.release()
                # θ after the last update; what an exception left behind may be half an update.
                if status == "finished" and self._clock.updates > self._first_step and hasattr(self._taker.source, "alive"):
                    self._taker.model(self._clock.updates, self._rate, "last", reported=True)
            self._unhook()
        except Exception as error:
            self._quiet.trouble("the last snapshot", error)
        self._on = False
        if was_on:
            self._pipeline.end(status, message)
            if wait:
                self._drain()

    def _drain(self) -> None:
        pipeline = self._pipeline
        try:
            self._delivered = pipeline.drain()
        finally:
            pipeline.abandon()
            lifecycle.forget(pipeline)


def watch_run(run: Run) -> None:
    """Ends the run with the process, or when nobody holds it any more."""
    pipeline = run._pipeline
    lifecycle.watch(run, pipeline)
    run._outcome.look()
    weakref.finalize(run, _released, pipeline, run._outcome).atexit = False


def _released(pipeline: Pipeline, outcome: Outcome) -> None:
    status, message = outcome.now
    if status == "finished" and released_by_error():
        status, message = "failed", "an error that the program caught (its text is known from Python 3.12 on)"
    pipeline.end_quietly(status, message or "the run was released")


def _nothing() -> None:
    return None
