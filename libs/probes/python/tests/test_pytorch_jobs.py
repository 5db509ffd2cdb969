"""PyTorch: jobs as people write them. Examples, losses, optimizers and loops of every usual kind.

One list, to see at a glance which kinds of jobs are held; long for that reason.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_training import attach, data, flat, mlp, train  # noqa: E402

import stagewatch  # noqa: E402

nn = torch.nn
functional = nn.functional


def losses(service):
    return [(step, value) for name, step, value in service.points() if name == "loss.train"]


def sgd(model, **options):
    return torch.optim.SGD(model.parameters(), lr=0.1, **options)


# Which step a loss belongs to.


@pytest.mark.parametrize("clear", ["first", "last"])
def test_a_skipped_first_update_moves_no_loss(service, clear):
    """A gradient scaler in its usual order: `scaler.step(optimizer)` skips, then `run.step`."""
    model = mlp()
    optimizer = sgd(model)
    run = attach(service, model, optimizer)
    x, y = data()
    expected = []
    for t in range(12):
        if clear == "first":
            optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        if t not in (0, 1, 7):
            expected.append(loss.item())
            optimizer.step()
        if clear == "last":
            optimizer.zero_grad()
        run.step(loss=loss)
    assert run.finish()
    assert losses(service) == list(enumerate(expected))
    assert run.status()["unmatched_reports"] == 3


@pytest.mark.parametrize("when", ["each", "before the update", "once"])
def test_micro_batches_of_an_update_are_one_loss(service, when):
    model = mlp()
    optimizer = sgd(model)
    run = attach(service, model, optimizer)
    x, y = data()
    expected = []
    for _ in range(6):
        optimizer.zero_grad()
        parts = []
        for part in range(4):
            loss = functional.cross_entropy(model(x[part::4]), y[part::4])
            (loss / 4).backward()
            parts.append(loss.item())
            if part == 3 and when != "before the update":
                optimizer.step()
            if when != "once" or part == 3:
                run.step(loss=loss)
        if when == "before the update":
            optimizer.step()
        expected.append(parts[-1] if when == "once" else sum(parts) / 4)
    assert run.finish()
    assert [step for step, _ in losses(service)] == list(range(6))
    assert [value for _, value in losses(service)] == pytest.approx(expected, rel=1e-12)
    assert run.status()["unmatched_reports"] == 0


def test_a_closure_is_one_update(service):
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    run = attach(service, model, optimizer)
    x, y = data()
    thetas, expected = [], []
    for _ in range(5):
        def closure():
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        thetas.append(flat(model))
        loss = optimizer.step(closure)
        expected.append(float(loss))
        run.step(loss=loss)
    assert run.finish()
    assert losses(service) == list(enumerate(expected))
    for record in service.bodies("snapshot")[:-1]:
        assert service.blobs[record.snapshot.blob] == thetas[record.snapshot.step].numpy().tobytes()


# Optimizers in wrappers, and whatever fails at attach.


class Wrapped(torch.optim.Optimizer):
    """As Accelerate does it: an Optimizer by its class, with nothing of an Optimizer's own inside."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups):
        self.optimizer.param_groups = groups

    def step(self, closure=None):
        self.optimizer.step(closure)

    def zero_grad(self, set_to_none=True):
        self.optimizer.zero_grad()


class Plain:
    """An optimizer that is none of PyTorch's."""

    def __init__(self, parameters):
        self.param_groups = [{"params": list(parameters), "lr": 0.1}]

    def step(self):
        with torch.no_grad():
            for p in self.param_groups[0]["params"]:
                p -= 0.1 * p.grad

    def zero_grad(self):
        for p in self.param_groups[0]["params"]:
            p.grad = None


class Sealed(Plain):
    """One that takes no attribute, so that nothing can be hooked."""

    __slots__ = ()

    def __setattr__(self, name, value):
        if name != "param_groups":
            raise AttributeError(name)
        super().__setattr__(name, value)


@pytest.mark.parametrize("make, name", [
    (lambda model: Wrapped(sgd(model, momentum=0.9)), "sgd"),
    (lambda model: Wrapped(Wrapped(torch.optim.AdamW(model.parameters(), lr=0.01))), "adamw"),
    (lambda model: Plain(model.parameters()), "plain"),
])
def test_optimizers_in_wrappers(service, make, name):
    model = mlp()
    optimizer = make(model)
    run = attach(service, model, optimizer)
    truth = train(run, model, optimizer, 12)
    assert run.finish()
    assert service.runs[service.only_run()]["request"].optimizer.name == name
    assert losses(service) == [(t, loss) for t, (_, loss, _) in enumerate(truth)]
    first = service.bodies("snapshot")[0]
    assert service.blobs[first.snapshot.blob] == truth[0][0].numpy().tobytes()


def test_an_optimizer_that_cannot_be_followed_leaves_scalars_and_says_why(service):
    model = mlp()
    optimizer = Sealed(model.parameters())
    run = attach(service, model, optimizer)
    truth = train(run, model, optimizer, 5)
    assert run.finish()
    assert losses(service) == [(t, loss) for t, (_, loss, _) in enumerate(truth)]
    assert "Sealed cannot be followed" in service.descriptions[-1].unmeasured


@pytest.mark.parametrize("options", [
    dict(batch_size="many"), dict(tags=5), dict(planned_steps=object()), dict(name=7), dict(project=object()),
    dict(loss=object()), dict(train=5), dict(train=(torch.ones(3), torch.ones(4))), dict(parameters=3), dict(memory_mib="x"),
])
def test_whatever_fails_at_attach_leaves_scalars(service, options):
    model = mlp()
    optimizer = sgd(model)
    run = attach(service, model, optimizer, **options)
    truth = train(run, model, optimizer, 3)
    assert run.finish()
    assert losses(service) == [(t, loss) for t, (_, loss, _) in enumerate(truth)]


# Examples.


class Numbers(torch.utils.data.Dataset):
    """Draws from every generator, as augmentations do."""

    def __init__(self, form="pair"):
        self.x, self.y = data(n=40)
        self.form = form

    def __len__(self):
        return 40

    def __getitem__(self, i):
        random.random(), np.random.random(), torch.rand(1)
        if self.form == "pair":
            return self.x[i], int(self.y[i])
        return {"x": self.x[i], "labels": int(self.y[i])}


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 3)

    def forward(self, x, scale=None):
        return self.layer(x) if scale is None else self.layer(x) * scale


def examples_of(service):
    import io

    digest = service.descriptions[0].train.digest
    with np.load(io.BytesIO(service.blobs[f"artifacts/{digest}"]), allow_pickle=False) as npz:
        return {name: npz[name] for name in npz.files}


def loader(dataset, **options):
    return torch.utils.data.DataLoader(dataset, batch_size=8, **options)


@pytest.mark.parametrize("make", [
    lambda: loader(Numbers(), shuffle=True, generator=torch.Generator().manual_seed(3)),
    lambda: Numbers(),
    lambda: loader(Numbers("dictionary"), shuffle=True),
    lambda: {"x": data(n=40)[0], "labels": data(n=40)[1]},
    lambda: torch.utils.data.TensorDataset(*data(n=40)),
], ids=["loader", "dataset", "loader of dictionaries", "dictionary", "tensors"])
def test_examples_in_every_form(service, make):
    given = make()
    model = Named()
    x, y = data(n=40)
    states = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    own = given.generator.get_state().tolist() if getattr(given, "generator", None) is not None else None
    run = attach(service, model, sgd(model), train=given)
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert own is None or own == given.generator.get_state().tolist()
    assert run.finish()
    examples = examples_of(service)
    assert (examples["x"] == x.numpy()).all() and (examples["y"] == y.numpy()).all()
    assert service.descriptions[0].reference_loss == pytest.approx(functional.cross_entropy(model(x), y).item(), rel=1e-6)
    request = service.runs[service.only_run()]["request"]
    assert request.training_examples == 40 and not request.full_batch


def test_a_loader_of_a_part_shows_no_other_examples(service):
    places = list(range(0, 40, 2))
    given = loader(Numbers(), sampler=torch.utils.data.SubsetRandomSampler(places))
    model = Named()
    assert attach(service, model, sgd(model), train=given, probe_examples=10).finish()
    kept = {tuple(row) for row in data(n=40)[0][places].numpy()}
    assert {tuple(row) for row in examples_of(service)["x"]} <= kept
    assert service.runs[service.only_run()]["request"].training_examples == 20


class Pictures(nn.Module):
    """Takes bytes, and does its own preprocessing."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(12, 3)

    def forward(self, x):
        assert x.dtype == torch.uint8
        return self.layer((x.float() / 255 - 0.5).flatten(1))


def test_bytes_with_the_models_own_preprocessing(service):
    model = Pictures()
    x, y = torch.randint(0, 256, (30, 3, 2, 2), dtype=torch.uint8), torch.randint(0, 3, (30,))
    assert attach(service, model, sgd(model), train=(x, y)).finish()
    assert examples_of(service)["x"].dtype == np.float32
    assert service.descriptions[0].reference_loss == pytest.approx(functional.cross_entropy(model(x), y).item(), rel=1e-6)


@pytest.mark.parametrize("form", ["tuple", "keywords", "three"])
def test_several_inputs(service, form):
    model = Named()
    x, y = data(n=40)
    scale = torch.rand(40, 3)
    given = {"tuple": ((x, scale), y), "keywords": ({"x": x, "scale": scale}, y), "three": (x, scale, y)}[form]
    assert attach(service, model, sgd(model), train=given).finish()
    assert service.descriptions[0].reference_loss == pytest.approx(functional.cross_entropy(model(x, scale), y).item(), rel=1e-6)
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_from_string(service.blobs[f"artifacts/{service.descriptions[0].graph_digest}"]).graph
    assert [i.name for i in graph.input if not i.name.startswith("layer")] == ["x", "scale"]


# Losses.


def shares(output, target):
    """Of one's own: cross-entropy and a penalty on what the model gives."""
    return functional.cross_entropy(output, target) + 0.1 * (output ** 2).mean()


def contrast(output, target):
    """Of pairs of examples: no mean over single ones."""
    return functional.cross_entropy(output @ output.T, torch.arange(len(output)))


WEIGHTS = torch.tensor([1.0, 4.0, 0.5])


@pytest.mark.parametrize("loss, own", [
    (functional.cross_entropy, functional.cross_entropy),
    (nn.CrossEntropyLoss(weight=WEIGHTS), lambda o, y: functional.cross_entropy(o, y, weight=WEIGHTS)),
    (nn.CrossEntropyLoss(weight=WEIGHTS, label_smoothing=0.2),
     lambda o, y: functional.cross_entropy(o, y, weight=WEIGHTS, label_smoothing=0.2)),
    (shares, shares),
    (lambda o, y: -torch.log_softmax(o, 1).gather(1, y[:, None]).mean(), functional.cross_entropy),
], ids=["function", "weights", "weights and smoothing", "own", "by hand"])
def test_losses_of_class_indices(service, loss, own):
    model = mlp()
    x, y = data()
    assert attach(service, model, sgd(model), loss=loss).finish()
    description = service.descriptions[0]
    assert description.unmeasured == ""
    assert description.reference_loss == pytest.approx(own(model(x), y).item(), rel=1e-6)


@pytest.mark.parametrize("loss, own", [
    (functional.mse_loss, functional.mse_loss),
    (nn.L1Loss(), functional.l1_loss),
    (nn.BCEWithLogitsLoss(pos_weight=WEIGHTS), lambda o, y: functional.binary_cross_entropy_with_logits(o, y, pos_weight=WEIGHTS)),
    (lambda o, y: ((o - y) ** 2).sum(1).mean(), lambda o, y: ((o - y) ** 2).sum(1).mean()),
], ids=["function", "absolute", "pos_weight", "by hand"])
def test_losses_of_numbers(service, loss, own):
    model = mlp()
    x, _ = data()
    y = torch.rand(len(x), 3)
    assert attach(service, model, sgd(model), loss=loss, train=(x, y)).finish()
    description = service.descriptions[0]
    assert description.unmeasured == ""
    assert description.reference_loss == pytest.approx(own(model(x), y).item(), rel=1e-6)


@pytest.mark.parametrize("loss", [contrast, nn.CrossEntropyLoss(reduction="sum"), lambda o, y: o.sum().exp()])
def test_a_loss_that_is_no_mean_of_examples_says_so(service, loss, caplog):
    model = mlp()
    optimizer = sgd(model)
    run = attach(service, model, optimizer, loss=loss)
    train(run, model, optimizer, 3)
    assert run.finish() and len(losses(service)) == 3
    (description,) = service.descriptions
    assert "mean" in description.unmeasured
    assert all(r.getMessage().startswith("stagewatch:") for r in caplog.records if r.levelname == "WARNING")


class Language(nn.Module):
    """As Hugging Face writes a causal model: labels are moved inside."""

    config = object()

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(9, 8)
        self.head = nn.Linear(8, 9)

    def forward(self, input_ids, labels=None):
        logits = self.head(torch.tanh(self.embedding(input_ids)))
        loss = None
        if labels is not None:
            loss = functional.cross_entropy(logits[..., :-1, :].contiguous().view(-1, 9), labels[..., 1:].contiguous().view(-1))
        return {"loss": loss, "logits": logits}


@pytest.mark.parametrize("given, form", [("cross-entropy", "pair"), (None, "pair"), ("model", "pair"), ("cross-entropy", "dictionary")])
def test_a_language_model_is_measured_with_its_own_shift(service, given, form):
    model = Language()
    ids = torch.randint(0, 9, (30, 6))
    labels = ids.clone()
    labels[:7, 4:] = -100
    train_set = (ids, labels) if form == "pair" else {"input_ids": ids, "labels": labels}
    assert attach(service, model, sgd(model), loss=given, train=train_set).finish()
    description = service.descriptions[0]
    assert description.unmeasured == ""
    assert description.reference_loss == pytest.approx(model(ids, labels=labels)["loss"].item(), rel=1e-6)


def test_labels_that_were_moved_already_are_not_moved_again(service):
    model = Language()
    ids = torch.randint(0, 9, (30, 6))
    assert attach(service, model, sgd(model), train=(ids[:, :-1], ids[:, 1:])).finish()
    own = functional.cross_entropy(model(ids[:, :-1])["logits"].flatten(0, 1), ids[:, 1:].flatten())
    assert service.descriptions[0].reference_loss == pytest.approx(own.item(), rel=1e-6)


# What is trained.


def layouts(service):
    return [(r.snapshot.step, [t.name for t in r.snapshot.tensors]) for r in service.bodies("snapshot")]


def test_an_optimizer_of_the_head_only(service):
    model = mlp()
    optimizer = torch.optim.SGD(model[-1].parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    train(run, model, optimizer, 3)
    assert run.finish()
    assert list(service.descriptions[0].parameters) == ["2.weight", "2.bias"]
    assert layouts(service)[0] == (0, ["2.weight", "2.bias"])


@pytest.mark.parametrize("how", ["unfrozen", "group added"])
def test_what_is_trained_later_is_described_later(service, how):
    model = mlp()
    if how == "unfrozen":
        model[0].requires_grad_(False)
        optimizer = sgd(model)
    else:
        optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    train(run, model, optimizer, 5)
    if how == "unfrozen":
        model[0].requires_grad_(True)
    else:
        optimizer.add_param_group({"params": list(model[0].parameters())})
    before = flat(model)
    x, y = data()
    expected = functional.cross_entropy(model(x), y).item()
    train(run, model, optimizer, 4)
    assert run.finish()
    first, second = service.descriptions
    everything = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(first.parameters) == everything[2:] and list(second.parameters) == everything
    assert (second.reference_step, second.reference_loss) == (5, pytest.approx(expected, rel=1e-6))
    for step, names in layouts(service):
        assert names == (everything if step >= 5 else everything[2:])
    assert service.blobs[next(r for r in service.bodies("snapshot") if r.snapshot.step == 5).snapshot.blob] == before.numpy().tobytes()


def test_constants_that_move_are_described_anew_and_then_given_up(service):
    model = mlp()
    optimizer = torch.optim.SGD(model[-1].parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    for step in range(8):
        train(run, model, optimizer, 1)
        service.wait_for(lambda: len(service.descriptions) > min(step, 4))
        with torch.no_grad():
            model[0].weight.mul_(1.01)
    assert run.finish()
    assert [d.reference_step for d in service.descriptions[:-1]] == [0, 1, 2, 3]
    assert "does not step" in service.descriptions[-1].unmeasured


class Kinked(nn.Module):
    """A branch that is initialised to zero, under a kink."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.down, self.up, self.head = nn.Linear(6, 8), nn.Linear(8, 6), nn.Linear(6, 3)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x):
        h = self.down(x)
        # At a tie each framework gives another gradient, and none gives 0.
        return self.head(x + self.up(torch.maximum(h, 0.2 * h)))


def test_at_a_kink_a_later_reference_is_given(service):
    model = Kinked()
    optimizer = sgd(model)
    run = attach(service, model, optimizer)
    train(run, model, optimizer, 8)
    assert run.finish()
    assert [d.reference_step for d in service.descriptions] == [0, 1]
    assert len(service.artifact_uploads) == 2


# What the size of a batch and clipping look like.


def test_the_batch_size_is_what_is_stepped(service):
    model = mlp()
    optimizer = sgd(model)
    x, y = data()
    run = attach(service, model, optimizer, train=(x, y))
    # The 6 is the last batch of an epoch.
    for size in (10, 6, 10, 20, 20, 10, 10):
        optimizer.zero_grad()
        for begin in (0, size // 2):
            loss = functional.cross_entropy(model(x[begin : begin + size // 2]), y[begin : begin + size // 2])
            loss.backward()
        optimizer.step()
        run.step(loss=loss)
        with torch.no_grad():
            model(x)
    assert run.finish()
    assert [(step, value) for name, step, value in service.points() if name == "batch_size"] == [(0, 10.0), (4, 20.0), (6, 10.0)]
    assert service.runs[service.only_run()]["request"].training_examples == 50


def test_full_batch_is_said(service):
    model = mlp()
    assert attach(service, model, sgd(model), batch_size="full").finish()
    request = service.runs[service.only_run()]["request"]
    assert request.full_batch and request.batch_size == 0


@pytest.mark.parametrize("clip, known", [(0.05, 0.05), (None, 0.0)])
def test_clipping_is_known_where_it_bites(service, clip, known):
    model = mlp()
    optimizer = sgd(model)
    run = attach(service, model, optimizer)
    x, y = data()
    for _ in range(8):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        run.step(loss=loss)
    assert run.finish()
    assert [(s, v) for n, s, v in service.points() if n == "gradient.clip"] == [(s, known) for s in range(2, 8)]


def test_the_names_of_the_front_door_are_there():
    assert stagewatch.OwnLoss().function is None
