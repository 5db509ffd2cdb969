"""Mixed precision in PyTorch's usual order, with a scale that overflows at first: its updates are skipped.

The scaler of PyTorch is for cards; this one does on the CPU what it does: skip an update whose gradients are not finite.
"""

import argparse
import json

import torch
from torch import nn

import stagewatch

parser = argparse.ArgumentParser()
parser.add_argument("--order", choices=["auto", "after"], default="auto")
parser.add_argument("--skip", type=int, nargs="*", default=[0], help="rounds whose gradients overflow")
parser.add_argument("--rounds", type=int, default=80)
options = parser.parse_args()

torch.manual_seed(0)
x, y = torch.randn(64, 6), torch.randn(64, 2)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
criterion = nn.MSELoss()
run = stagewatch.attach(model, optimizer, loss=criterion, train=(x, y), name="scaler", order=options.order)
update = 0
for turn in range(options.rounds):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    if turn in options.skip:
        model[0].weight.grad.fill_(float("inf"))
    if all(torch.isfinite(p.grad).all() for p in model.parameters()):
        optimizer.step()
        print(json.dumps({"step": update, "name": "loss.train", "value": loss.item()}), flush=True)
        update += 1
    run.step(loss=loss)
run.finish()
