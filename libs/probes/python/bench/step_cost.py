#!/usr/bin/env python3
"""What the probe costs a training loop: one call of `run.step`, and a training step with and without it. JSON out.

    step_cost.py [--address HOST:PORT]     without an address: against the in-process double of the tests
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
if "--src" in sys.argv:
    sys.argv.remove("--src")
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src"))

import numpy as np

import stagewatch


def percentiles(nanoseconds):
    us = np.asarray(nanoseconds) / 1e3
    return {"p50_us": round(float(np.percentile(us, 50)), 2), "p99_us": round(float(np.percentile(us, 99)), 2),
            "p99.9_us": round(float(np.percentile(us, 99.9)), 2), "max_us": round(float(us.max()), 1)}


def step_calls(address, calls, pause_s, tensor=False):
    """Time of single calls; `pause_s` of work between them, as training has."""
    run = stagewatch.attach(None, name="bench", address=address, quiet=True, spool_mib=256)
    run.wait_attached()
    value = 0.5
    if tensor:
        import torch

        value = torch.tensor(0.5, requires_grad=True) * 1.0
    took = np.empty(calls, dtype=np.int64)
    clock = time.perf_counter_ns
    for i in range(calls):
        begin = clock()
        run.step(loss=value)
        took[i] = clock() - begin
        if pause_s:
            until = clock() + int(pause_s * 1e9)
            while clock() < until:
                pass
    status = run.status()
    run.finish()
    return {**percentiles(took), "calls": calls, "lost_points": status["lost_points"]}


def training(address, steps, width):
    """Median step of a small network, the two jobs taking turns so that the machine's mood hits both."""
    import torch

    torch.manual_seed(0)
    x, y = torch.randn(1500, 64), torch.randint(0, 10, (1500,))
    loss_of = torch.nn.CrossEntropyLoss()

    def job():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.Tanh(), torch.nn.Linear(width, 10))
        return model, torch.optim.SGD(model.parameters(), lr=0.05)

    def one(model, optimizer, run):
        begin = time.perf_counter_ns()
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        if run is not None:
            run.step(loss=loss)
        return time.perf_counter_ns() - begin

    plain, watched = job(), job()
    run = stagewatch.attach(*watched, loss="cross-entropy", train=(x, y), address=address, quiet=True, name="bench")
    run.wait_attached()
    times = {"without": [], "with": []}
    block = 50
    for begin in range(0, steps, block):
        for name, (model, optimizer), probe in (("without", plain, None), ("with", watched, run)):
            times[name] += [one(model, optimizer, probe) for _ in range(block)]
    status = run.status()
    run.finish()
    without, with_probe = (percentiles(times[name]) for name in ("without", "with"))
    return {"without": without, "with": with_probe, "steps": steps, "snapshots": status["snapshots"],
            "ratio_p50": round(with_probe["p50_us"] / without["p50_us"], 4),
            "ratio_mean": round(float(np.mean(times["with"]) / np.mean(times["without"])), 4)}


def upload(address, mib):
    """Tensor bytes to durable blobs, from one probe."""
    run = stagewatch.attach(None, name="bench", address=address, quiet=True, drain_seconds=120, memory_mib=4 * mib)
    run.wait_attached()
    array = np.random.default_rng(0).standard_normal(mib * 1024 * 256).astype(np.float32)
    run.step(loss=1.0, parameters={"w": array})
    begin = time.perf_counter()
    delivered = run.finish()
    seconds = time.perf_counter() - begin
    return {"mib": mib, "mb_per_s": round(array.nbytes / 1e6 / seconds), "delivered": delivered}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address")
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--training-steps", type=int, default=2000)
    parser.add_argument("--upload-mib", type=int, default=256)
    options = parser.parse_args()
    double = None
    if options.address is None:
        from fake_service import FakeService

        double = FakeService().start()
    address = options.address or double.address
    gc.collect()
    result = {"service": options.address or "in-process double (shares the interpreter with the loop)",
              "step_scalar": step_calls(address, options.calls, 0.0001),
              "step_scalar_flood": step_calls(address, options.calls, 0.0)}
    try:
        import torch

        torch.set_num_threads(1)
        result["step_tensor"] = step_calls(address, options.calls // 5, 0.0001, tensor=True)
        result["training"] = training(address, options.training_steps, 100)
    except ImportError:
        result["training"] = "left out: no PyTorch"
    result["upload"] = upload(address, options.upload_mib)
    print(json.dumps(result, indent=2))
    if double is not None:
        double.stop()


if __name__ == "__main__":
    main()
