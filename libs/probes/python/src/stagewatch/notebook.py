"""In IPython a cell that fails ends the training in it, although the process goes on."""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Iterable, Tuple

Runs = Callable[[], Iterable[Any]]


def watch_cells(runs: Runs) -> None:
    """Ends the runs that a failed cell trained. Outside of IPython it does nothing."""
    shell_of: Any = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = shell_of() if shell_of is not None else None
    if shell is None:
        return
    before: Dict[int, Tuple[int, int]] = {}

    def begin(*_: Any) -> None:
        before.clear()
        before.update({id(run): run._outcome.place for run in runs()})

    def end(result: Any = None) -> None:
        error = getattr(result, "error_in_exec", None)
        # Whoever interrupts a cell may go on with it.
        if error is None or isinstance(error, KeyboardInterrupt):
            return
        for run in list(runs()):
            if before.get(id(run)) != run._outcome.place:
                run._outcome.saw(error)
                run._end(*run._outcome.now, wait=False)

    shell.events.register("pre_run_cell", begin)
    shell.events.register("post_run_cell", end)
