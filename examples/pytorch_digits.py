#!/usr/bin/env python3
"""A small network on scikit-learn's digits that reaches the edge of stability in about a minute on two cores.

Full-batch gradient descent on mean squared error: the sharpness settles, rises for a long while, and stays at 2/η once
it has got there. Start `stagewatch up` first, then:

    python examples/pytorch_digits.py            # and look at the page that it names
    python examples/pytorch_digits.py --check    # prints PyTorch's own sharpness at each measured step, as JSON lines
"""

import argparse
import copy
import json
import sys
import time

import torch
from sklearn.datasets import load_digits

import stagewatch

TRAIN_EXAMPLES = 1500
WIDTH = 100
# Found by trying: at 0.5 the sharpness stalls below 2/η for long; at 0.8 it gets there after about 830 steps and stays.
LEARNING_RATE = 0.8
STEPS = 5000


def digits():
    """Centred pixels and one-hot targets; the first 1500 examples to train on."""
    data = load_digits()
    x = torch.tensor(data.data / 16.0, dtype=torch.float32)
    x -= x[:TRAIN_EXAMPLES].mean(dim=0)
    y = torch.nn.functional.one_hot(torch.tensor(data.target), 10).float()
    return (x[:TRAIN_EXAMPLES], y[:TRAIN_EXAMPLES]), (x[TRAIN_EXAMPLES:], y[TRAIN_EXAMPLES:])


def network():
    """Weights begin a little larger than PyTorch's own, which makes the saturation before the rise easy to see."""
    model = torch.nn.Sequential(
        torch.nn.Linear(64, WIDTH), torch.nn.Tanh(),
        torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh(),
        torch.nn.Linear(WIDTH, 10),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.6)
    return model


def sharpness(model, loss_of, train, tolerance=1e-6, most=200):
    """λ1 of the loss at the parameters as they are now: Lanczos on PyTorch's double backward, in float64.

    Full reorthogonalisation, from a fixed random vector; ends when the residual of the top pair is below `tolerance`.
    """
    twin = copy.deepcopy(model).double()
    x, y = (part.double() for part in train)
    parameters = list(twin.parameters())
    with torch.enable_grad():
        gradient = torch.autograd.grad(loss_of(twin(x), y), parameters, create_graph=True)
    sizes = [p.numel() for p in parameters]

    def product(vector):
        parts = [part.view_as(p) for part, p in zip(vector.split(sizes), parameters)]
        with torch.enable_grad():
            out = torch.autograd.grad(gradient, parameters, parts, retain_graph=True)
        return torch.cat([part.reshape(-1) for part in out])

    vector = torch.randn(sum(sizes), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis, alphas, betas = [vector / vector.norm()], [], []
    while True:
        next_vector = product(basis[-1])
        alphas.append(float(next_vector @ basis[-1]))
        for _ in range(2):
            stacked = torch.stack(basis)
            next_vector = next_vector - stacked.T @ (stacked @ next_vector)
        beta = float(next_vector.norm())
        tridiagonal = torch.diag(torch.tensor(alphas, dtype=torch.float64))
        if betas:
            off = torch.diag(torch.tensor(betas, dtype=torch.float64), 1)
            tridiagonal = tridiagonal + off + off.T
        values, vectors = torch.linalg.eigh(tridiagonal)
        top, residual = float(values[-1]), beta * abs(float(vectors[-1, -1]))
        if residual <= tolerance * abs(top) or len(alphas) == most or beta == 0.0:
            return top
        betas.append(beta)
        basis.append(next_vector / beta)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--lr", type=float, default=LEARNING_RATE)
    parser.add_argument("--address", help="of the service; else STAGEWATCH_ADDRESS, else 127.0.0.1:7581")
    parser.add_argument("--name", default="digits")
    parser.add_argument("--check", action="store_true", help="measure each snapshotted step with PyTorch too, as JSON lines")
    options = parser.parse_args()

    torch.manual_seed(0)
    train, val = digits()
    x, y = train
    model = network()
    loss_of = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr)

    def check(step):
        print(json.dumps({"step": step, "sharpness": sharpness(model, loss_of, train), "lr": options.lr}), flush=True)

    run = stagewatch.attach(
        model, optimizer, loss=loss_of, train=train, val=val, name=options.name, project="examples",
        planned_steps=options.steps, address=options.address, on_snapshot=check if options.check else None,
    )
    if options.check:
        run.wait_attached()
        print(json.dumps({"run": run.id, "attempt": run.attempt, "url": run.url}), flush=True)

    began = time.monotonic()
    for step in range(options.steps):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        run.step(loss=loss)
        if step % 100 == 0:
            with torch.no_grad():
                run.log({"loss.val": loss_of(model(val[0]), val[1])})
    seconds = time.monotonic() - began
    delivered = run.finish()
    print(f"{options.steps} steps in {seconds:.1f} s, loss {loss.item():.5f}, "
          f"{'all of it delivered' if delivered else 'not all of it delivered'}", file=sys.stderr)


if __name__ == "__main__":
    main()
