"""A training job by the Python probe: full-batch gradient descent of a small PyTorch network.

Every number of it follows from its options (`job-options.ts`), so two runs of it are alike.
"""

import json
import math
import sys
import threading
import time

import stagewatch
import torch

options = json.loads(sys.argv[1])


class WrongClock:
    """The module `time`, of a host whose clock is wrong."""

    def __init__(self, shift_seconds):
        self.time = lambda: time.time() + shift_seconds
        self.time_ns = lambda: time.time_ns() + int(shift_seconds * 1e9)

    def __getattr__(self, name):
        return getattr(time, name)


if options.get("clockShiftSeconds"):
    # Only as the probe sees it: gRPC computes deadlines from `time.time` against a clock of its own.
    probe = [module for name, module in sys.modules.items() if name.startswith("stagewatch.")]
    shifted = [module for module in probe if getattr(module, "time", None) is time]
    for module in shifted:
        module.time = WrongClock(options["clockShiftSeconds"])
    assert stagewatch.records in shifted, "records carry the wrong time"

STEPS = options["steps"]
LEARNING_RATE = options.get("learningRate", 0.5)
NAN_FROM = options.get("nanFrom", math.inf)
PAUSE_S = options.get("pauseMs", 2) / 1000
allowed = -1 if options.get("paced") else math.inf


saying = threading.Lock()


def say(line):
    with saying:
        print(json.dumps(line), flush=True)


def until(step):
    """Waits until the test allows the step; the end of standard input allows all."""
    global allowed
    while step > allowed:
        line = sys.stdin.readline()
        allowed = max(allowed, int(line)) if line else math.inf


torch.manual_seed(3)
torch.set_num_threads(1)
x = torch.randn(64, 5)
y = torch.stack([torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2], x[:, 3].tanh() - x[:, 4]], dim=1)
model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
loss_of = torch.nn.MSELoss()

run = None
if not options.get("bare"):
    run = stagewatch.attach(
        model, optimizer, loss=loss_of, train=(x, y), val=(x[:16], y[:16]), name=options.get("name", "torch job"),
        project="system tests", resume=options.get("resumeRunId"), planned_steps=STEPS, address=options["address"],
        snapshot_every=options.get("snapshotEvery", 4), drain_seconds=90, quiet=True,
    )


def announce():
    run.wait_attached(300)
    say({"run": run.id})


if run is not None:
    threading.Thread(target=announce, daemon=True).start()
for step in range(STEPS):
    until(step)
    optimizer.zero_grad()
    loss = loss_of(model(x), y)
    loss.backward()
    norm = math.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters()))
    optimizer.step()
    shown = math.nan if step >= NAN_FROM else loss.item()
    if run is not None:
        run.step(loss=shown, odd=(-math.inf, math.inf, float(step))[step % 3], **{"gradient.norm": norm})
    say({"step": step})
    time.sleep(PAUSE_S)
say({"steps": STEPS, "delivered": run is not None and run.finish()})
