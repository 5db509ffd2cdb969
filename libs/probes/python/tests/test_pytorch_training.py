"""PyTorch: training does not notice, and nothing of it is held when it is over."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_training import attach, data, mlp, train  # noqa: E402

nn = torch.nn


def test_training_is_the_same_bit_for_bit_with_and_without(service):
    def job(watched):
        model = mlp(dropout=True, norm=True)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        model[4].bias.grad = torch.ones(3) if len(model) > 4 and hasattr(model[4], "bias") else None
        modes = [m.training for m in model.modules()]
        torch.manual_seed(7)
        np.random.seed(7)
        run = attach(service, model, optimizer) if watched else None
        assert [m.training for m in model.modules()] == modes
        x, y = data()
        losses = []
        for _ in range(40):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if run:
                run.step(loss=loss)
            losses.append(loss.item())
        if run:
            assert run.finish()
        state = [v.clone() for v in model.state_dict().values()]
        return losses, state, torch.get_rng_state(), np.random.random()

    plain, watched = job(False), job(True)
    assert plain[0] == watched[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1], watched[1]))
    assert torch.equal(plain[2], watched[2]) and plain[3] == watched[3]
    assert [r for r in service.bodies("snapshot")]


def test_attach_leaves_the_model_alone(service):
    model = mlp(dropout=True, norm=True)
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    model[0].weight.grad = torch.full_like(model[0].weight, 3.0)
    model[1].eval()
    before = copy.deepcopy(model.state_dict())
    modes = [m.training for m in model.modules()]
    rng = torch.get_rng_state()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert [m.training for m in model.modules()] == modes and calls == []
    assert (model[0].weight.grad == 3).all() and model[0].bias.grad is None
    assert torch.equal(torch.get_rng_state(), rng)
    run.finish()


def test_models_and_optimizers_can_be_collected(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    train(run, model, optimizer, 5)
    references = [weakref.ref(model), weakref.ref(optimizer), weakref.ref(model[0].weight)]
    gc.collect()
    gc.disable()
    try:
        del model, optimizer
        assert [r() for r in references] == [None, None, None]
        run.step(loss=1.0)
        assert run.finish()
    finally:
        gc.enable()
    assert service.bodies("snapshot")


def test_a_run_lives_with_its_optimizer(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    attach(service, model, optimizer)
    x, y = data()
    gc.collect()
    for _ in range(3):
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    service.wait_for(lambda: len(service.bodies("snapshot")) >= 2)
    del model, optimizer
    gc.collect()
    service.wait_for(lambda: service.bodies("end"))


def test_finish_takes_the_hook_away(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    train(run, model, optimizer, 3)
    run.finish()
    assert "step" not in optimizer.__dict__ and not getattr(optimizer, "_optimizer_step_pre_hooks", {})
    train(run, model, optimizer, 3)
    assert len([p for p in service.points() if p[0] == "loss.train"]) == 3
