"""A small regression that ends in one of the ways in which jobs end."""

import argparse
import sys
import time

import torch
from torch import nn

import stagewatch

parser = argparse.ArgumentParser()
parser.add_argument("--how", required=True, choices=["raise", "caught", "sweep", "exit-1", "wait", "two-runs"])
parser.add_argument("--steps", type=int, default=150)
options = parser.parse_args()


def train(steps, rate, breaks_at=None, name="endings"):
    torch.manual_seed(0)
    x = torch.randn(64, 5)
    y = x[:, :1] * x[:, 1:2]
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    criterion = nn.MSELoss()
    run = stagewatch.attach(model, optimizer, loss=criterion, train=(x, y), name=name)
    for step in range(steps):
        if step == breaks_at:
            raise RuntimeError(f"CUDA out of memory at step {step}")
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        run.step(loss=loss)
        time.sleep(0.002)
    run.finish()


if options.how == "raise":
    train(options.steps, 0.1, breaks_at=options.steps - 50)
elif options.how == "caught":
    # As a launcher does it, which must say something of its own and go on.
    try:
        train(options.steps, 0.1, breaks_at=options.steps - 50)
    except RuntimeError as error:
        print(f"training failed: {error}", file=sys.stderr)
    time.sleep(1)
elif options.how == "sweep":
    for rate, breaks_at in ((0.05, None), (0.1, 60), (0.2, None)):
        try:
            train(options.steps, rate, breaks_at, name=f"rate {rate}")
        except RuntimeError as error:
            print(f"rate {rate}: {error}", file=sys.stderr)
elif options.how == "two-runs":
    train(options.steps, 0.05, name="first")
    train(options.steps, 0.1, name="second")
elif options.how == "wait":
    train(10**9, 0.05)
elif options.how == "exit-1":
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    run = stagewatch.attach(model, optimizer, loss=nn.MSELoss(), train=(x, y), name="exit 1")
    for step in range(50):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        run.step(loss=loss)
    sys.exit(1)
