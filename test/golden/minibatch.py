#!/usr/bin/env python3
"""Writes minibatch_streams.json: mini-batch trainings on scikit-learn's digits, measured with PyTorch in float64.

Each row is [step, loss of the batch, loss on the probe set, lambda_1 on the probe set]: the three values that a job with the
Python probe gives, at every step for the first ten and then about every twentieth part of the training so far. lambda_1 is
scipy's Lanczos on double backward, of the loss without decay.
"""

import json
import sys

import numpy
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.datasets import load_digits

TRAIN, PROBE = 1500, 500


def data(noise):
    """Of `noise`, that share of the labels is drawn by lot."""
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target)[:TRAIN]
    lots = torch.Generator().manual_seed(0)
    wrong = torch.rand(TRAIN, generator=lots) < noise
    return (x - x[:TRAIN].mean(dim=0))[:TRAIN], torch.where(wrong, torch.randint(10, (TRAIN,), generator=lots), y)


def one_hot(y):
    return torch.nn.functional.one_hot(y, 10).float()


LOSSES = {
    "cross-entropy": lambda out, y: torch.nn.functional.cross_entropy(out, y),
    "binary-cross-entropy": lambda out, y: torch.nn.functional.binary_cross_entropy_with_logits(out, one_hot(y).to(out.dtype)),
    "mse": lambda out, y: torch.nn.functional.mse_loss(out, one_hot(y).to(out.dtype)),
}


def network(kind, width, seed):
    torch.manual_seed(seed)
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[kind]
    return torch.nn.Sequential(torch.nn.Linear(64, width), activation(), torch.nn.Linear(width, 10))


def sharpness(model, loss_of, x, y, start):
    twin = network("tanh" if isinstance(model[1], torch.nn.Tanh) else "relu", model[0].out_features, 0).double()
    twin.load_state_dict(model.state_dict())
    parameters = list(twin.parameters())
    gradient = torch.autograd.grad(loss_of(twin(x.double()), y), parameters, create_graph=True)
    sizes = [p.numel() for p in parameters]

    def product(vector):
        parts = torch.tensor(vector.reshape(-1)).split(sizes)
        out = torch.autograd.grad(gradient, parameters, [v.view_as(p) for v, p in zip(parts, parameters)], retain_graph=True)
        return torch.cat([part.reshape(-1) for part in out]).numpy()

    value, vector = eigsh(LinearOperator((sum(sizes),) * 2, matvec=product), k=1, which="LA", tol=1e-6, v0=start)
    loss = float(loss_of(twin(x.double()), y))
    return float(value[0]), vector[:, 0], loss


def train(job):
    x, y = data(job["noise"])
    model = network(job["kind"], job["width"], job["seed"])
    loss_of = LOSSES[job["loss"]]
    optimizer = torch.optim.SGD(model.parameters(), lr=job["lr"], momentum=job["momentum"])
    order = torch.Generator().manual_seed(job["seed"])
    rows, start, due, step = [], None, 0, 0
    for _ in range(job["epochs"]):
        for batch in torch.randperm(TRAIN, generator=order).split(job["batch"]):
            loss = loss_of(model(x[batch]), y[batch])
            if step >= due:
                top, start, probe = sharpness(model, loss_of, x[:PROBE], y[:PROBE], start)
                rows.append([step, *(float(f"{value:.6g}") for value in (loss.item(), probe, top))])
                due = max(step + 1, int(step * 1.05)) if step >= 10 else step + 1
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    return {**job, "steps": step, "rows": rows}


def jobs():
    """The last six swing most: large steps, small batches, wrong labels."""
    of = "loss kind width batch lr momentum epochs seed noise"
    table = [
        ("cross-entropy", "tanh", 32, 32, 0.1, 0.0, 8, 1, 0.0), ("cross-entropy", "relu", 64, 32, 0.1, 0.0, 8, 2, 0.0),
        ("cross-entropy", "relu", 64, 16, 0.05, 0.0, 6, 3, 0.0), ("cross-entropy", "tanh", 32, 64, 0.3, 0.0, 10, 4, 0.0),
        ("cross-entropy", "relu", 64, 32, 0.02, 0.9, 8, 5, 0.0), ("cross-entropy", "relu", 128, 64, 0.05, 0.9, 40, 6, 0.0),
        ("cross-entropy", "tanh", 64, 8, 0.03, 0.0, 4, 7, 0.0), ("cross-entropy", "relu", 64, 128, 0.5, 0.0, 60, 8, 0.0),
        ("binary-cross-entropy", "relu", 64, 32, 0.5, 0.0, 60, 9, 0.0), ("mse", "tanh", 64, 32, 0.2, 0.0, 10, 10, 0.0),
        ("cross-entropy", "tanh", 64, 32, 0.01, 0.0, 6, 11, 0.0), ("cross-entropy", "relu", 32, 16, 0.2, 0.0, 10, 12, 0.0),
        ("cross-entropy", "relu", 64, 32, 0.1, 0.0, 8, 21, 0.0), ("cross-entropy", "tanh", 64, 16, 0.1, 0.0, 6, 22, 0.0),
        ("cross-entropy", "relu", 128, 64, 0.1, 0.0, 12, 23, 0.0), ("cross-entropy", "relu", 64, 32, 0.01, 0.9, 8, 24, 0.0),
        ("cross-entropy", "tanh", 32, 128, 0.2, 0.9, 40, 25, 0.0), ("cross-entropy", "relu", 64, 8, 0.02, 0.0, 4, 26, 0.0),
        ("binary-cross-entropy", "tanh", 64, 64, 1.0, 0.0, 60, 27, 0.0), ("mse", "relu", 64, 32, 0.1, 0.9, 10, 28, 0.0),
        ("cross-entropy", "relu", 64, 32, 0.3, 0.0, 30, 29, 0.0), ("cross-entropy", "tanh", 64, 64, 0.05, 0.0, 10, 30, 0.0),
        ("binary-cross-entropy", "relu", 32, 16, 0.2, 0.9, 8, 31, 0.0), ("cross-entropy", "relu", 256, 32, 0.05, 0.0, 8, 32, 0.0),
    ]
    table += [
        ("cross-entropy", "relu", 64, 8, 0.2, 0.0, 6, 41, 0.2), ("cross-entropy", "tanh", 64, 4, 0.1, 0.0, 4, 42, 0.0),
        ("cross-entropy", "relu", 64, 16, 0.1, 0.9, 6, 43, 0.2), ("cross-entropy", "relu", 32, 32, 1.0, 0.0, 10, 44, 0.2),
        ("binary-cross-entropy", "tanh", 64, 8, 0.5, 0.0, 6, 45, 0.2), ("cross-entropy", "tanh", 128, 32, 0.1, 0.9, 10, 46, 0.2),
    ]
    return [dict(zip(of.split(), row)) for row in table]


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = []
    for job in jobs():
        cases.append(train(job))
        print(len(cases), cases[-1]["steps"], len(cases[-1]["rows"]), file=sys.stderr, flush=True)
    with open(__file__.replace("minibatch.py", "minibatch_streams.json"), "w") as file:
        file.write('{"cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
