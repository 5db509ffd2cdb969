"""Fine-tuning: a body that is frozen, or unfrozen in mid-run, and an optimizer that has the head only."""

import argparse
import json

import torch
from torch import nn

import stagewatch
import truth

parser = argparse.ArgumentParser()
parser.add_argument("--how", choices=["frozen", "unfreeze", "head-only", "group-later"], default="frozen")
parser.add_argument("--steps", type=int, default=120)
parser.add_argument("--lr", type=float, default=0.05)
options = parser.parse_args()

torch.manual_seed(0)
x = torch.randn(128, 8)
y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]
body, head = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh()), nn.Linear(24, 1)
model = nn.Sequential(body, head)
criterion = nn.MSELoss()
if options.how in ("frozen", "unfreeze"):
    body.requires_grad_(False)
stepped = head.parameters() if options.how in ("head-only", "group-later") else model.parameters()
optimizer = torch.optim.SGD(stepped, lr=options.lr)


def check(step):
    """Of the parameters that the optimizer steps: the truth that a reading must agree with."""
    trained = {id(p) for group in optimizer.param_groups for p in group["params"] if p.requires_grad}
    flags = [(p, p.requires_grad) for p in model.parameters()]
    for parameter, _ in flags:
        parameter.requires_grad_(id(parameter) in trained)
    print(json.dumps({"step": step, "name": "sharpness", "value": truth.sharpness(model, criterion, x, y)}), flush=True)
    for parameter, flag in flags:
        parameter.requires_grad_(flag)


run = stagewatch.attach(model, optimizer, loss=criterion, train=(x, y), name=options.how, on_snapshot=check)
for step in range(options.steps):
    if step == options.steps // 2:
        if options.how == "unfreeze":
            body.requires_grad_(True)
        if options.how == "group-later":
            optimizer.add_param_group({"params": list(body.parameters())})
    model.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    run.step(loss=loss)
run.finish()
