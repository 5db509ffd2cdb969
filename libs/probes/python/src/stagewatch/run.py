"""A run that is being watched: what a training loop calls."""

from __future__ import annotations

import time
import weakref
import threading
from typing import Any, Callable, Dict, Mapping, Optional, Union

from . import lifecycle
from .cadence import Cadence
from .clock import StepClock
from .pipeline import MOST_QUEUED, WAKE_AT, Pipeline
from .quiet import Quiet
from .snapshots import ArrayParameters, SnapshotItem

Parameters = Union[Mapping[str, Any], Callable[[], Mapping[str, Any]]]


class Run:
    """Made by `attach`. No method raises because of the probe or the service, and none waits for them but `finish`.

    As a context manager it is finished at the end of the block, with status `failed` when an exception left it.
    """

    def __init__(self, pipeline: Optional[Pipeline], clock: StepClock, cadence: Cadence, quiet: Quiet, memory_bytes: int,
                 on_snapshot: Optional[Callable[[int], None]] = None) -> None:
        self._pipeline = pipeline
        self._on = pipeline is not None
        self._items: Any = pipeline.items if pipeline is not None else None
        self._clock = clock
        self._cadence = cadence
        self._quiet = quiet
        self._memory_bytes = memory_bytes
        self._on_snapshot = on_snapshot
        self._newest = clock.updates
        self._first = clock.updates
        self._lr: Any = None
        self._rate = float("nan")
        self._delivered = False
        self._pending: Optional[SnapshotItem] = None
        self._optimizer: Any = None
        self._parameters: Any = None
        self._unhook: Callable[[], None] = _nothing
        self._skipped_at = -1
        self._left_out = False
        self._snapshots = 0
        self._ended = False
        self._trained_by_main_thread = threading.current_thread() is threading.main_thread()

    # What training calls.

    def step(self, loss: Any = None, parameters: Optional[Parameters] = None, **scalars: Any) -> None:
        """Reports the step's training loss, once for each optimizer update, right before or right after it.

        Arguments:
            loss: a number or a tensor; becomes `loss.train`.
            parameters: for hand-written loops only: the parameters before this step's update, or a function that gives
                them (it is only called when a snapshot is due).
            scalars: other numbers of this step, by their names.
        """
        if not self._on:
            return
        try:
            step = self._clock.report()
            if step is None:
                return
            if loss is not None:
                self._put("loss.train", step, loss)
            if scalars:
                for name, value in scalars.items():
                    self._put(name, step, value)
            if step > self._newest:
                self._newest = step
            if parameters is not None:
                self._take_arrays(step, parameters)
            elif self._pending is not None:
                self._release_pending()
        except Exception as error:
            self._quiet.trouble("run.step", error)

    def log(self, values: Mapping[str, Any]) -> None:
        """Other numbers, at the newest step: `run.log({"loss.val": 0.3})`."""
        if not self._on:
            return
        try:
            for name, value in values.items():
                self._put(str(name), self._newest, value)
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

    def finish(self, status: str = "finished", message: str = "") -> bool:
        """Ends the run: a last snapshot, then waits, within bounds, until everything is durable.

        Returns True when everything that was handed over is durable at the service.
        """
        try:
            self._end(status, message, wait=True)
        except Exception as error:
            self._quiet.trouble("run.finish", error)
        return self._delivered

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: Any, error: Any, _trace: Any) -> None:
        if error is None:
            self.finish()
        elif isinstance(error, KeyboardInterrupt):
            self.finish("interrupted", "KeyboardInterrupt")
        else:
            self.finish("failed", f"{type(error).__name__}: {error}")

    # What it knows.

    @property
    def id(self) -> Optional[str]:
        """The run's id, once the service has answered."""
        attached = self._pipeline.attached if self._pipeline is not None else None
        return attached.run_id if attached is not None else None

    @property
    def attempt(self) -> Optional[int]:
        attached = self._pipeline.attached if self._pipeline is not None else None
        return attached.attempt if attached is not None else None

    @property
    def url(self) -> Optional[str]:
        """Where people can look at this run, once the service has answered."""
        attached = self._pipeline.attached if self._pipeline is not None else None
        return attached.page_url if attached is not None else None

    def wait_attached(self, seconds: float = 10.0) -> bool:
        """Waits until the service has answered; for scripts that print the address or need the id."""
        until = time.monotonic() + seconds
        while self.id is None and time.monotonic() < until and self._on:
            time.sleep(0.02)
        return self.id is not None

    def status(self) -> Dict[str, Any]:
        """The probe's own state, as plain data."""
        state: Dict[str, Any] = {"watching": self._on, "run": self.id, "step": self._clock.reported,
                                 "snapshots": self._snapshots, "unmatched_reports": self._clock.unmatched}
        if self._pipeline is not None:
            state.update(self._pipeline.status())
        return state

    # What the optimizer's hook calls.

    def _before_update(self) -> None:
        """θ_t is still in place, and the learning rate is the one that this update uses."""
        if not self._on:
            return
        try:
            if self._pending is not None:
                self._release_pending()
            step = self._clock.update()
            optimizer = self._optimizer() if self._optimizer is not None else None
            reason = self._cadence.due(step)
            if optimizer is not None:
                rate = optimizer.param_groups[0]["lr"]
                if rate is not self._lr and (reason or not _on_device(rate)):
                    self._read_rate(step, rate)
                    reason = self._cadence.due(step)
            if reason and self._parameters is not None:
                self._take(step, reason)
        except Exception as error:
            self._quiet.trouble("the optimizer's hook", error)

    def _read_rate(self, step: int, rate: Any) -> None:
        value = float(rate)
        if isinstance(rate, float):
            self._lr = rate
        self._new_rate(step, value)

    def _new_rate(self, step: int, value: float) -> None:
        if value == self._rate:
            return
        self._rate = value
        self._put("lr", step, value)
        if step > self._newest:
            self._newest = step
        self._cadence.learning_rate(step, value)

    # Snapshots.

    def _take(self, step: int, reason: str) -> None:
        pipeline = self._pipeline
        if pipeline is None or not pipeline.snapshots_wanted:
            return
        if self._on_snapshot is not None and reason != "last":
            self._on_snapshot(step)
        buffer = self._parameters.copy()
        item = self._item(step, reason, buffer, self._parameters)
        if item is None:
            return
        if self._clock.reported >= step or reason == "last":
            self._hand_over(item)
        else:
            # After the step's own loss, so that a reader in order has seen it.
            self._pending = item

    def _take_arrays(self, step: int, parameters: Parameters) -> None:
        reason = self._cadence.due(step)
        pipeline = self._pipeline
        if not reason or pipeline is None or not pipeline.snapshots_wanted:
            return
        if self._on_snapshot is not None:
            self._on_snapshot(step)
        source = parameters() if callable(parameters) else parameters
        if self._parameters is None:
            self._parameters = ArrayParameters(source, self._memory_bytes)
        item = self._item(step, reason, self._parameters.copy(source), self._parameters)
        if item is not None:
            self._hand_over(item)

    def _item(self, step: int, reason: str, buffer: Any, parameters: Any) -> Optional[SnapshotItem]:
        pipeline = self._pipeline
        if buffer is None:
            # All buffers are on their way. It stays due, and one skipped snapshot is counted once.
            if pipeline is not None and self._skipped_at < 0:
                self._skipped_at = step
                self._leave_out(pipeline, step, snapshots=1)
            return None
        self._skipped_at = -1
        self._cadence.taken(step)
        self._snapshots += 1
        return SnapshotItem(step, self._rate, reason, parameters.layout, buffer, parameters.pool, int(time.time() * 1000))

    def _release_pending(self) -> None:
        item, self._pending = self._pending, None
        if item is not None:
            self._hand_over(item)

    def _hand_over(self, item: SnapshotItem) -> None:
        if item.step > self._newest:
            self._newest = item.step
        self._items.append(item)
        if self._pipeline is not None:
            self._pipeline.wake()

    # The rest.

    def _put(self, name: str, step: int, value: Any) -> None:
        items = self._items
        queued = len(items)
        if queued >= MOST_QUEUED:
            if self._pipeline is not None:
                self._leave_out(self._pipeline, step, points=1)
            return
        if self._left_out:
            self._left_out = False
            items.extend(self._pipeline.behind.take() if self._pipeline is not None else ())
        if type(value) is not float:
            value = _plain(value)
        items.append((name, step, value))
        if queued > WAKE_AT and self._pipeline is not None:
            self._pipeline.wake()

    def _leave_out(self, pipeline: Pipeline, step: int, points: int = 0, snapshots: int = 0) -> None:
        pipeline.behind.add("memory", step, step, points, snapshots)
        self._left_out = True

    def _end(self, status: str, message: str, wait: bool) -> None:
        if self._ended or self._pipeline is None:
            return
        self._ended = True
        try:
            if self._on:
                if self._pending is not None:
                    self._release_pending()
                if status == "finished" and self._clock.updates > self._first and hasattr(self._parameters, "alive"):
                    self._take(self._clock.updates, "last")
            self._unhook()
        except Exception as error:
            self._quiet.trouble("the last snapshot", error)
        was_on, self._on = self._on, False
        if was_on:
            self._pipeline.end(status, message)
            if wait:
                self._drain()

    def _drain(self) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            return
        try:
            self._delivered = pipeline.drain(pipeline.drain_seconds()) and pipeline.wanted
        finally:
            pipeline.abandon()
            lifecycle.forget(pipeline)


def watch_run(run: Run, pipeline: Pipeline) -> None:
    """Ends the run with the process, or when nobody holds it any more."""
    lifecycle.watch(run, pipeline)
    weakref.finalize(run, pipeline.end_quietly, "finished", "the run was released").atexit = False


def _plain(value: Any) -> Any:
    """A float, or a tensor on a device that the encoder's thread fetches: reading it here would stall training."""
    if hasattr(value, "detach"):
        if value.device.type == "cpu":
            return float(value.item())
        # Cloned, because a captured graph writes its loss into the same memory at each replay.
        return value.detach().clone()
    return float(value.item()) if hasattr(value, "item") else float(value)


def _on_device(value: Any) -> bool:
    """True for a number whose reading would wait for a device."""
    return hasattr(value, "device") and value.device.type != "cpu"


def _nothing() -> None:
    pass
