"""PyTorch: what is snapshotted is θ_t and η_t of its step, whatever the loop looks like."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch_training import attach, check, data, flat, mlp, train  # noqa: E402

nn = torch.nn


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("make", [
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: torch.optim.Adam(p, lr=0.01),
    lambda p: torch.optim.RMSprop(p, lr=0.001),
])
def test_snapshots_are_before_the_update_wherever_step_is_called(service, when, make):
    model = mlp()
    optimizer = make(model.parameters())
    run = attach(service, model, optimizer)
    truth = train(run, model, optimizer, 30, when)
    assert run.finish()
    check(service, truth)


@pytest.mark.parametrize("first", ["scheduler", "attach"])
@pytest.mark.parametrize("when", ["before", "after", "after scheduler"])
def test_the_learning_rate_is_the_one_of_the_update(service, when, first, recwarn):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = None
    if first == "scheduler":
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
    run = attach(service, model, optimizer)
    if scheduler is None:
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
    truth = train(run, model, optimizer, 12, when, scheduler)
    assert run.finish()
    check(service, truth)
    assert [(s, v) for n, s, v in service.points() if n == "lr"] == [(0, 0.1), (3, 0.05), (6, 0.025), (9, 0.0125)]
    assert not [w for w in recwarn if "lr_scheduler.step()" in str(w.message)]


def test_a_jump_of_the_learning_rate_makes_the_cadence_dense_again(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    train(run, model, optimizer, 200)
    optimizer.param_groups[0]["lr"] = 0.2
    train(run, model, optimizer, 30)
    run.finish()
    steps = [r.snapshot.step for r in service.bodies("snapshot")]
    assert set(range(200, 210)) <= set(steps) and len([s for s in steps if s < 200]) < 50


def test_resume_counts_on(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer, first_step=100)
    truth = train(run, model, optimizer, 20)
    assert run.finish()
    check(service, truth, first_step=100)


def test_gradient_accumulation_and_skipped_updates(service):
    """Steps are updates: micro-batches do not count, and `order` says so where it cannot be seen."""
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer, order="after")
    x, y = data()
    truth = []
    for t in range(10):
        for half in (0, 1):
            loss = nn.functional.cross_entropy(model(x[half::2]), y[half::2])
            loss.backward()
        if t == 0:
            run.step(loss=loss)  # a scaler skipped the update: this loss belongs to none
            continue
        truth.append((flat(model), loss.item(), 0.1))
        optimizer.step()
        optimizer.zero_grad()
        run.step(loss=loss)
    assert run.status()["unmatched_reports"] == 1
    assert run.finish()
    check(service, truth)


def test_frozen_parameters_are_no_part_of_a_snapshot(service):
    model = mlp()
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    run = attach(service, model, optimizer)
    truth = train(run, model, optimizer, 5)
    assert run.finish()
    check(service, truth)
    assert "0.weight" not in service.descriptions[0].parameters


def test_on_snapshot_sees_every_step_before_it_is_copied(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = {}
    run = attach(service, model, optimizer, on_snapshot=lambda step: seen.__setitem__(step, flat(model)))
    train(run, model, optimizer, 30)
    assert run.finish()
    measured = [r for r in service.bodies("snapshot") if r.snapshot.reason != "last"]
    assert list(seen) == [r.snapshot.step for r in measured]
    for record in measured:
        assert service.blobs[record.snapshot.blob] == seen[record.snapshot.step].numpy().tobytes()


def test_half_precision_parameters_arrive_as_float32(service):
    model = mlp().to(torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    x, y = data()
    before = flat(model)
    loss = nn.functional.cross_entropy(model(x.bfloat16()).float(), y)
    loss.backward()
    optimizer.step()
    run.step(loss=loss)
    run.finish()
    for record in service.bodies("snapshot")[:1]:
        assert {t.dtype for t in record.snapshot.tensors} == {"float32"}
        assert service.blobs[record.snapshot.blob] == before.float().numpy().tobytes()
