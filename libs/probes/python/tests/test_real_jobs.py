"""Jobs as people write them, by the whole road: what the service measures is what PyTorch computes in double precision."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from exact import gradient_norm, top_eigenvalue  # noqa: E402
from test_pytorch_jobs import WEIGHTS, Kinked, Language, Named, Numbers, Pictures, contrast, loader, shares  # noqa: E402
from test_real_networks import attach, nn, reading, real, reason_off  # noqa: E402, F401
from test_real_service import pytestmark  # noqa: E402, F401
from torch_training import data, mlp  # noqa: E402

functional = nn.functional


class Wide(Named):
    def forward(self, x, scale=None):
        return super().forward(x, scale)


def bytes_of(n=40):
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (n, 3, 2, 2), dtype=torch.uint8, generator=generator), data(n=n)[1]


def ids_of():
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(0, 9, (40, 6), generator=generator)
    labels = ids.clone()
    labels[:9, 4:] = -100
    return ids, labels


def batch_norm():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))


X, Y = data(n=40)
SCALE = torch.rand(40, 3, generator=torch.Generator().manual_seed(4))
REALS = torch.rand(40, 3, generator=torch.Generator().manual_seed(5))
IDS, LABELS = ids_of()
PICTURES, KINDS = bytes_of()


def of(loss, x=X, y=Y):
    return lambda model: loss(model(x.double() if x.is_floating_point() else x), y.double() if y.is_floating_point() else y)


#: name: (model, loss, train, the loss in double precision)
JOBS = {
    "a function": (mlp, functional.cross_entropy, (X, Y), of(functional.cross_entropy)),
    "class weights": (mlp, nn.CrossEntropyLoss(weight=WEIGHTS), (X, Y),
                      of(lambda o, y: functional.cross_entropy(o, y, weight=WEIGHTS.double()))),
    "a loss of one's own": (mlp, shares, (X, Y), of(shares)),
    "absolute errors": (mlp, nn.BCEWithLogitsLoss(pos_weight=WEIGHTS), (X, REALS),
                        of(lambda o, y: functional.binary_cross_entropy_with_logits(o, y, pos_weight=WEIGHTS.double()), y=REALS)),
    "own loss under batch norm": (batch_norm, shares, (X, Y), of(shares)),
    "a loader": (Named, "cross-entropy", loader(Numbers(), shuffle=True), of(functional.cross_entropy)),
    "bytes": (Pictures, "cross-entropy", (PICTURES, KINDS), lambda model: functional.cross_entropy(
        model.layer((PICTURES.double() / 255 - 0.5).flatten(1)), KINDS)),
    "two inputs": (Wide, "cross-entropy", {"x": X, "scale": SCALE, "labels": Y},
                   lambda model: functional.cross_entropy(model(X.double(), SCALE.double()), Y)),
    "a language model": (Language, "cross-entropy", (IDS, LABELS), lambda model: model(IDS, labels=LABELS)["loss"]),
}


@pytest.mark.parametrize("name", JOBS)
def test_what_is_measured_is_what_is_trained(real, name):  # noqa: F811
    make, loss, train, loss_of = JOBS[name]
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = attach(real, model, optimizer, train, loss=loss, name=name)
    expected = top_eigenvalue(model, loss_of), gradient_norm(model, loss_of)
    value = loss_of(model.double()) if name != "bytes" else None
    model.float()
    (loss_of(model.double()) * 1).backward()
    model.float()
    for p in model.parameters():
        p.grad = p.grad.float() if p.grad is not None else None
    optimizer.step()
    run.step(loss=1.0 if value is None else float(value))
    assert run.finish()
    assert reading(real, run, 0)[0] == pytest.approx(expected[0], rel=3e-4)
    assert reading(real, run, 0, "gradient.norm")[0] == pytest.approx(expected[1], rel=1e-5)
    if value is not None:
        assert reading(real, run, 0, "loss.probe")[0] == pytest.approx(float(value), rel=1e-6)


def steps(run, model, optimizer, count, x=X, y=Y):
    for _ in range(count):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        run.step(loss=loss)


def test_why_nothing_is_measured_is_in_the_place_of_the_instrument(real):  # noqa: F811
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = attach(real, model, optimizer, (X, Y), loss=contrast)
    steps(run, model, optimizer, 3)
    assert run.finish()
    assert "contrast is no mean of losses of single examples" in real.wait(lambda: reason_off(real, run), 30)


def test_after_unfreezing_readings_are_of_what_is_stepped(real):  # noqa: F811
    model = mlp()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(real, model, optimizer, (X, Y), loss="cross-entropy")
    expected = {0: top_eigenvalue(model, of(functional.cross_entropy))}
    steps(run, model, optimizer, 6)
    model[0].requires_grad_(True)
    expected[6] = top_eigenvalue(model, of(functional.cross_entropy))
    steps(run, model, optimizer, 3)
    assert run.finish()
    for step, value in expected.items():
        assert reading(real, run, step)[0] == pytest.approx(value, rel=3e-4)


class Clamped(Kinked):
    """PyTorch 1 hands the gradient through at the edge of `clamp`, and the service does not."""

    def forward(self, x):
        return self.head(x + self.up(torch.clamp(self.down(x), min=0)))


def test_a_kink_is_of_one_snapshot(real):  # noqa: F811
    edge = torch.zeros(1, requires_grad=True)
    if torch.autograd.grad(torch.clamp(edge, min=0).sum(), edge)[0].item() == 0:
        pytest.skip("this PyTorch gives the gradient 0 at the edge of clamp: the branch never leaves its kink")
    model = Clamped()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(real, model, optimizer, (X, Y), loss="cross-entropy")
    steps(run, model, optimizer, 1)
    assert "has a kink at these parameters" in real.wait(lambda: reason_off(real, run), 60)
    expected = {}
    for step in range(1, 6):
        expected[step] = top_eigenvalue(model, of(functional.cross_entropy))
        steps(run, model, optimizer, 1)
    assert run.finish()
    assert reading_later(real, run, 5) == pytest.approx(expected[5], rel=1e-3)


def reading_later(real, run, step):  # noqa: F811
    rows = real.wait(lambda: real.sql(
        f"SELECT value FROM readings WHERE run = '{run.id}' AND name = 'sharpness' AND step = {step}"), 60)
    return float(rows[0]["value"])


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["the same", "weighted"])
def test_another_loss_than_the_one_described_is_seen(real, weights):  # noqa: F811
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    run = attach(real, model, optimizer, (X, Y), loss="cross-entropy", batch_size="full")
    for _ in range(40):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(X), Y, weight=weights)
        loss.backward()
        optimizer.step()
        run.step(loss=loss)
    assert run.finish()
    reading_later(real, run, 5)
    if weights is not None:
        assert "what is trained is another loss" in real.wait(lambda: reason_off(real, run), 60)
    else:
        reading_later(real, run, 40)
        assert reason_off(real, run) == ""
