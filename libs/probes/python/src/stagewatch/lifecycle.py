"""What happens to runs when the process ends, is told to end, or forks."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import weakref
from typing import Any, List, Set

from .notebook import watch_cells
from .outcome import watch_uncaught

# Runs that have not been finished (weakly: a run that nobody needs may go), and pipelines that may still be sending.
_runs: "weakref.WeakSet[Any]" = weakref.WeakSet()
_pipelines: Set[Any] = set()
_inherited: List[Any] = []
_registered = False


def watch(run: Any, pipeline: Any) -> None:
    """From now on the run is ended with the process."""
    global _registered
    _runs.add(run)
    _pipelines.add(pipeline)
    if _registered:
        return
    _registered = True
    atexit.register(_at_exit)
    # Runs before the interpreter refuses new threads, which a last upload needs (Python 3.12 and later).
    early = getattr(threading, "_register_atexit", None)
    if early is not None:
        try:
            early(_before_threads_end)
        except Exception:
            pass
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
    watch_uncaught()
    watch_cells(lambda: _runs)
    _watch_termination()


def forget(pipeline: Any) -> None:
    _pipelines.discard(pipeline)


def _watch_termination() -> None:
    """SIGTERM, as Slurm and Kubernetes send it, where the job has no handler of its own."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return
    owner = os.getpid()

    def terminated(number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        # A forked child is not the job.
        if os.getpid() == owner:
            for run in list(_runs):
                run._end("interrupted", "SIGTERM", wait=False)
            _drain_all(list(_pipelines))
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, terminated)


def _before_threads_end() -> None:
    # Only runs that the main thread trained: another thread may be in the middle of its loop.
    _end_all([run for run in list(_runs) if run._trained_by_main_thread], [])


def _at_exit() -> None:
    _end_all(list(_runs), list(_pipelines))


def _end_all(runs: List[Any], pipelines: List[Any]) -> None:
    try:
        for run in runs:
            run._end(*run._outcome.now, wait=False)
        for run in runs:
            run._drain()
        _drain_all(pipelines)
    except KeyboardInterrupt:
        # A second Ctrl-C: the person has waited long enough.
        for pipeline in list(_pipelines):
            pipeline.abandon()


def _drain_all(pipelines: List[Any]) -> None:
    for pipeline in pipelines:
        pipeline.drain()
        pipeline.abandon()


def _in_child() -> None:
    """A forked child (a DataLoader's worker) has none of our threads and must never speak for its parent."""
    for run in list(_runs):
        run._on = False
        _inherited.append(run)
    # Kept alive on purpose: closing a channel that belongs to the parent's threads can hang.
    _inherited.extend(_pipelines)
    _runs.clear()
    _pipelines.clear()
