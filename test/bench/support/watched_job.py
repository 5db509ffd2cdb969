#!/usr/bin/env python3
"""A full-batch training of digits with steps of a given width, watched when STAGEWATCH_ADDRESS says by whom. JSON out."""

import json
import os
import sys
import time

import torch
from sklearn.datasets import load_digits

steps, width, examples = (int(argument) for argument in sys.argv[1:4])
torch.manual_seed(0)
data = load_digits()
x = torch.tensor(data.data[:examples] / 16.0, dtype=torch.float32)
y = torch.tensor(data.target[:examples])
model = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.Tanh(), torch.nn.Linear(width, width), torch.nn.Tanh(),
                            torch.nn.Linear(width, 10))
loss_of = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = None
if os.environ.get("STAGEWATCH_ADDRESS"):
    import stagewatch

    run = stagewatch.attach(model, optimizer, loss=loss_of, train=(x, y), name=f"width {width}", quiet=True)
    run.wait_attached(30.0)
times = []
began = time.perf_counter()
for _ in range(steps):
    at = time.perf_counter()
    optimizer.zero_grad()
    loss = loss_of(model(x), y)
    loss.backward()
    optimizer.step()
    if run is not None:
        run.step(loss=loss)
    times.append(time.perf_counter() - at)
seconds = time.perf_counter() - began
times.sort()
if run is not None:
    run.finish()
print(json.dumps({"seconds": seconds, "median": times[len(times) // 2], "p99": times[int(len(times) * 0.99)],
                  "snapshots": 0 if run is None else run.status()["snapshots"], "run": None if run is None else run.id}))
