"""Whole processes: failed is failed whatever the way out, and nothing else is."""

from __future__ import annotations

import signal
import sys

import pytest
from test_processes import finish, start

PRELUDE = """
    import gc
    def attach():
        return stagewatch.attach(None, address=os.environ["ADDRESS"], quiet=True, name=os.environ.get("NAME", "x"))
    def train(bad, held=None):
        run = attach()
        if held is not None: held.append(run)
        for t in range(50):
            run.step(loss=float(t))
        if bad: raise RuntimeError("CUDA out of memory")
        for t in range(50):
            run.step(loss=float(t))
    run.finish()
"""
TELLS = sys.version_info >= (3, 12)
CAUGHT = "RuntimeError: CUDA out of memory" if TELLS else "an error that the program caught (its text is known from Python 3.12 on)"


def ends(service):
    """Of all runs but that of the prelude, sorted: each attaches when its thread comes to it."""
    runs = [run for run, about in service.runs.items() if about["request"].name == "x"]
    found = [service.bodies("end", run) for run in runs]
    assert all(len(end) == 1 for end in found), found
    return sorted((end[0].end.status, end[0].end.message) for end in found)


@pytest.mark.parametrize("body, expected", [
    # Caught outside of the function that trains.
    ("try:\n    train(True)\nexcept RuntimeError as e:\n    print(e)", [("failed", CAUGHT)]),
    # A sweep: one of three is broken.
    ("for bad in (False, True, False):\n    try: train(bad)\n    except Exception: pass",
     [("finished", "the run was released"), ("failed", CAUGHT), ("finished", "the run was released")]),
    # The usual form of a careful script.
    ("run = attach()\ntry:\n    run.step(loss=1.0)\n    raise ValueError('bad batch')\nexcept ValueError:\n    pass\nfinally:\n    run.finish()",
     [("finished", "")]),
    ("run = attach()\ntry:\n    try:\n        run.step(loss=1.0)\n        raise ValueError('bad batch')\n    finally:\n        run.finish()\nexcept ValueError: pass",
     [("failed", "ValueError: bad batch")]),
    ("run = attach()\ntry:\n    run.step(loss=1.0)\n    raise ValueError('bad batch')\nexcept ValueError as e:\n    run.finish()",
     [("failed", "ValueError: bad batch")]),
    # Handled inside the loop: training goes on, and is whole.
    ("def robust():\n    run = attach()\n    for t in range(9):\n        try:\n            if t == 4: raise ValueError('skip')\n        except ValueError: continue\n        run.step(loss=1.0)\nrobust()",
     [("finished", "the run was released")]),
    # An error somewhere else, long before.
    ("try: 1 / 0\nexcept ZeroDivisionError: pass\ntrain(False)", [("finished", "the run was released")]),
    ("sys.last_value = ValueError('of yesterday')\nrun = attach()\nrun.step(loss=1.0)", [("finished", "")]),
])
def test_a_run_ends_as_its_training_did(service, body, expected):
    rc, _, err = finish(start(service, PRELUDE + "\n".join("    " + line for line in body.split("\n"))), 60)
    assert rc == 0, err
    assert ends(service) == sorted(expected)


def test_an_error_in_a_thread(service):
    rc, _, err = finish(start(service, PRELUDE + """
    import threading
    held = []
    t = threading.Thread(target=train, args=(True, held)); t.start(); t.join()
"""), 60)
    assert rc == 0, err
    assert ends(service) == [("failed", "RuntimeError: CUDA out of memory")]


@pytest.mark.skipif(not TELLS, reason="left out: before Python 3.12 nobody tells of errors that are caught")
def test_a_run_that_somebody_still_holds(service):
    rc, _, err = finish(start(service, PRELUDE + """
    held = []
    for bad in (True, False):
        try: train(bad, held)
        except RuntimeError: pass
"""), 60)
    assert rc == 0, err
    assert ends(service) == sorted([("failed", "RuntimeError: CUDA out of memory"), ("finished", "")])


def test_sigterm_is_an_interruption_and_everything_is_there(service):
    process = start(service, "go(100000, 0.001)")
    service.wait_for(lambda: len(service.points()) > 100)
    process.send_signal(signal.SIGTERM)
    rc, _, err = finish(process)
    assert rc == -signal.SIGTERM, err
    end = service.bodies("end")[0].end
    assert (end.status, end.message) == ("interrupted", "SIGTERM")
    losses = [v for n, _, v in service.points() if n == "loss.train"]
    assert losses == [float(t) for t in range(len(losses))]


def test_a_handler_of_the_jobs_own_stays(service):
    rc, out, _ = finish(start(service, """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: print("mine", flush=True))
        second = stagewatch.attach(None, address=os.environ["ADDRESS"], quiet=True)
        second.step(loss=1.0)
        os.kill(os.getpid(), signal.SIGTERM)
        second.finish()
    """), 60)
    assert rc == 0 and "mine" in out
