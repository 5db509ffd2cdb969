"""A small network in PyTorch, its training loop, and what must have arrived of it."""

from __future__ import annotations

import numpy as np
import pytest

import stagewatch

torch = pytest.importorskip("torch")
nn = torch.nn


def mlp(seed=0, dropout=False, norm=False):
    torch.manual_seed(seed)
    layers = [nn.Linear(6, 8), nn.Tanh()]
    if dropout:
        layers.append(nn.Dropout(0.5))
    if norm:
        layers.append(nn.BatchNorm1d(8))
    return nn.Sequential(*layers, nn.Linear(8, 3))


def data(seed=1, n=50):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=generator), torch.randint(0, 3, (n,), generator=generator)


def attach(service, model, optimizer, **options):
    x, y = data()
    options.setdefault("loss", "cross-entropy")
    options.setdefault("train", (x, y))
    return stagewatch.attach(model, optimizer, address=service.address, quiet=True, **options)


def flat(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters() if p.requires_grad]).clone()


def train(run, model, optimizer, steps, when="after", scheduler=None, closure=False):
    """Trains, and returns θ_t, L_t and η_t of every step as the loop itself saw them."""
    x, y = data()
    truth = []
    for _ in range(steps):
        before, rate = flat(model), optimizer.param_groups[0]["lr"]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        truth.append((before, loss.item(), rate))
        if when == "before":
            run.step(loss=loss)
        optimizer.step()
        if when == "after":
            run.step(loss=loss)
        if scheduler is not None:
            scheduler.step()
        if when == "after scheduler":
            run.step(loss=loss)
    return truth


def check(service, truth, first_step=0, last=True):
    assert service.out_of_order == []
    snapshots = service.bodies("snapshot")
    losses = {step: value for name, step, value in service.points() if name == "loss.train"}
    assert losses == {first_step + t: loss for t, (_, loss, _) in enumerate(truth)}
    measured = [r for r in snapshots if r.snapshot.reason != "last"]
    assert [r.snapshot.step - first_step for r in measured[:5]] == list(range(min(5, len(truth))))
    for record in measured:
        theta, _, rate = truth[record.snapshot.step - first_step]
        blob = np.frombuffer(service.blobs[record.snapshot.blob], "<f4")
        assert blob.tobytes() == theta.numpy().tobytes()
        assert record.snapshot.learning_rate == rate
        # A reader in order has seen the step's own loss by then.
        before = [r.scalars for r in service.in_order() if r.sequence < record.snapshot.taken]
        assert record.snapshot.step in {s for b in before for s, n in zip(b.steps, b.name_index) if b.names[n] == "loss.train"}
    if last:
        assert snapshots[-1].snapshot.reason == "last" and snapshots[-1].snapshot.step == first_step + len(truth)
