"""Trains, saves, and is started again from its checkpoint as the next attempt of the same run."""

import argparse
import os
import subprocess
import sys
import tempfile

import torch
from torch import nn

import stagewatch

parser = argparse.ArgumentParser()
parser.add_argument("--checkpoint")
parser.add_argument("--stop", type=int, default=120)
options = parser.parse_args()

torch.manual_seed(0)
x = torch.randn(64, 5)
y = x[:, :1] * x[:, 1:2]
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.MSELoss()
first, resume = 0, None
if options.checkpoint:
    saved = torch.load(options.checkpoint)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    first, resume = saved["step"], saved["run"]
run = stagewatch.attach(model, optimizer, loss=criterion, train=(x, y), name="resume", resume=resume, first_step=first)
for step in range(first, options.stop):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    run.step(loss=loss)
run.wait_attached(20)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "checkpoint.pt")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": options.stop, "run": run.id}, path)
    run.finish()
    if not options.checkpoint:
        subprocess.run([sys.executable, __file__, "--checkpoint", path, "--stop", str(2 * options.stop)], check=True)
