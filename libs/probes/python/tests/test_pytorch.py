"""PyTorch: what is snapshotted is θ_t and η_t of its step, whatever the loop looks like, and training does not notice."""

from __future__ import annotations

import copy
import gc
import io
import math
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import stagewatch  # noqa: E402
from stagewatch.conventions import read_torch_optimizer  # noqa: E402

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
    assert [r.step - first_step for r in measured[:5]] == list(range(min(5, len(truth))))
    for record in measured:
        theta, _, rate = truth[record.step - first_step]
        blob = np.frombuffer(service.blobs[record.snapshot.blob], "<f4")
        assert blob.tobytes() == theta.numpy().tobytes()
        assert record.snapshot.learning_rate == rate
        # A reader in order has seen the step's own loss by then.
        before = [r.scalars for r in service.in_order() if r.sequence < record.sequence]
        assert record.step in {s for b in before for s, n in zip(b.steps, b.name_index) if b.names[n] == "loss.train"}
    if last:
        assert snapshots[-1].snapshot.reason == "last" and snapshots[-1].step == first_step + len(truth)


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
    steps = [r.step for r in service.bodies("snapshot")]
    assert set(range(200, 210)) <= set(steps) and len([s for s in steps if s < 200]) < 50


def test_resume_counts_on(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer, first_step=100)
    truth = train(run, model, optimizer, 20)
    assert run.finish()
    check(service, truth, first_step=100)


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


def test_the_description_is_the_network(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = data()
    run = attach(service, model, optimizer, val=(x[:10], y[:10]), classes=["a", "b", "c"])
    assert run.finish()
    description = service.descriptions[0]
    assert list(description.parameters) == [n for n, _ in model.named_parameters()]
    assert list(description.train.class_names) == ["a", "b", "c"]
    assert (description.train.examples, description.val.examples) == (50, 10)
    loss = nn.functional.cross_entropy(model(x), y)
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in torch.autograd.grad(loss, list(model.parameters()))))
    assert description.reference_loss == pytest.approx(loss.item(), rel=1e-6)
    assert description.reference_gradient_norm == pytest.approx(norm, rel=1e-5)
    with np.load(io.BytesIO(service.blobs[f"artifacts/{description.train.digest}"]), allow_pickle=False) as npz:
        assert npz["x"].dtype == np.float32 and npz["y"].dtype == np.int64
        assert npz["x"].tobytes() == x.numpy().tobytes() and (npz["y"] == y.numpy()).all()
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_from_string(service.blobs[f"artifacts/{description.graph_digest}"]).graph
    inputs = [i.name for i in graph.input]
    assert inputs[0] == "x" and set(inputs[1:]) == set(description.parameters)
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {n.op_type for n in graph.node} <= {"Gemm", "Tanh", "MatMul", "Add", "Transpose"}


def test_known_artifacts_are_not_sent_again(service):
    for _ in range(2):
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        assert attach(service, model, optimizer).finish()
    other = mlp(seed=5)
    assert attach(service, other, torch.optim.SGD(other.parameters(), lr=0.1)).finish()
    assert len(service.artifact_uploads) == 2 and len(service.descriptions) == 3


def test_training_mode_and_no_dropout_in_the_graph(service):
    onnx = pytest.importorskip("onnx")
    model = mlp(dropout=True, norm=True)
    run = attach(service, model, torch.optim.SGD(model.parameters(), lr=0.1))
    assert run.finish()
    graph = onnx.load_from_string(service.blobs[f"artifacts/{service.descriptions[0].graph_digest}"]).graph
    nodes = {n.op_type: n for n in graph.node}
    assert "Dropout" not in nodes
    assert [a.i for a in nodes["BatchNormalization"].attribute if a.name == "training_mode"] == [1]
    assert {"3.running_mean", "3.running_var"} <= {i.name for i in graph.initializer}


@pytest.mark.parametrize("loss, own", [
    (lambda: nn.MSELoss(), lambda o, t: ((o - t) ** 2).mean()),
    (lambda: stagewatch.MSE(halved=True, reduction="sum"), lambda o, t: ((o - t) ** 2).sum(1).mean() / 2),
])
def test_mean_squared_error_conventions(service, loss, own):
    model = mlp()
    x, y = data()
    target = nn.functional.one_hot(y, 3).double()
    run = attach(service, model, torch.optim.SGD(model.parameters(), lr=0.1), loss=loss(), train=(x, target))
    assert run.finish()
    assert service.descriptions[0].reference_loss == pytest.approx(own(model(x), target.float()).item(), rel=1e-6)
    request = service.runs[service.only_run()]["request"]
    assert request.loss.halved == (not isinstance(loss(), nn.MSELoss))


class Words(nn.Module):
    """Token ids, embeddings shared with the last layer, a scale that nothing uses, several outputs, noise in training."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(9, 4)
        self.mix = nn.Linear(4, 4)
        self.idle = nn.Parameter(torch.ones(3, 2))
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids):
        hidden = nn.functional.dropout(torch.tanh(self.mix(self.embedding(ids))), 0.5, self.training)
        return {"hidden": hidden, "logits": self.head(hidden)}


def test_tokens_shared_weights_and_what_is_not_used(service):
    model = Words()
    ids = torch.randint(0, 9, (20, 5))
    labels = torch.randint(0, 9, (20, 5))
    labels[3:8, 2:] = -100
    run = attach(service, model, torch.optim.SGD(model.parameters(), lr=0.1), loss=nn.CrossEntropyLoss(), train=(ids, labels))
    assert run.finish()
    description = service.descriptions[0]
    assert list(description.parameters) == ["idle", "embedding.weight", "mix.weight", "mix.bias"]
    assert dict(description.aliases) == {"head.weight": "embedding.weight"}
    assert [(u.name, list(u.shape)) for u in description.unused] == [("idle", [3, 2])]
    loss = service.runs[service.only_run()]["request"].loss
    assert (loss.ignored_class, loss.classes_second) == (-100, False)
    model.eval()
    own = nn.functional.cross_entropy(model(ids)["logits"].flatten(0, 1), labels.flatten())
    assert description.reference_loss == pytest.approx(own.item(), rel=1e-6)
    used = [p for n, p in model.named_parameters() if n != "idle"]
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in torch.autograd.grad(own, used)))
    assert description.reference_gradient_norm == pytest.approx(norm, rel=1e-5)
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_from_string(service.blobs[f"artifacts/{description.graph_digest}"]).graph
    assert [o.name for o in graph.output] == ["output"] and "Dropout" not in {n.op_type for n in graph.node}
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64


@pytest.mark.parametrize("loss, targets, own", [
    (nn.CrossEntropyLoss(label_smoothing=0.2), "classes", lambda o, y: nn.functional.cross_entropy(o, y, label_smoothing=0.2)),
    (stagewatch.CrossEntropy(probabilities=True), "shares", nn.functional.cross_entropy),
    (nn.BCEWithLogitsLoss(), "bits", lambda o, y: nn.functional.binary_cross_entropy_with_logits(o, y.float())),
    (nn.HuberLoss(delta=0.5), "reals", lambda o, y: nn.functional.huber_loss(o, y, delta=0.5)),
    (nn.SmoothL1Loss(beta=0.5), "reals", lambda o, y: nn.functional.smooth_l1_loss(o, y, beta=0.5)),
])
def test_losses_are_those_of_pytorch(service, loss, targets, own):
    model = mlp()
    x, classes = data()
    torch.manual_seed(1)
    y = {"classes": classes, "shares": torch.softmax(torch.randn(len(x), 3), 1), "bits": torch.randint(0, 2, (len(x), 3)),
         "reals": torch.randn(len(x), 3)}[targets]
    assert attach(service, model, torch.optim.SGD(model.parameters(), lr=0.1), loss=loss, train=(x, y)).finish()
    assert service.descriptions[0].reference_loss == pytest.approx(own(model(x), y).item(), rel=1e-5)


def test_the_place_of_the_classes_is_found():
    from stagewatch.pytorch.loss import settled

    classes = stagewatch.CrossEntropy()
    assert not settled(classes, (5,), ()).classes_second
    assert not settled(classes, (7, 5), (7,)).classes_second
    assert settled(classes, (5, 7), (7,)).classes_second
    assert settled(classes, (5, 5), (5,)).classes_second
    assert settled(classes, (5, 8, 9), (8, 9)).classes_second
    for output, target in (((7, 5), (6,)), ((5,), (5,)), ((), ())):
        with pytest.raises(Exception, match="does not fit"):
            settled(classes, output, target)


def test_a_large_training_set_becomes_a_seeded_subset(service):
    x, y = torch.randn(300, 6), torch.randint(0, 3, (300,))
    digests = []
    for seed in (0, 0, 1):
        model = mlp()
        assert attach(service, model, torch.optim.SGD(model.parameters(), lr=0.1), train=(x, y), probe_examples=100,
                      seed=seed).finish()
        digests.append(service.descriptions[-1].train.digest)
        assert service.descriptions[-1].train.examples == 100
    assert digests[0] == digests[1] != digests[2]


def test_what_cannot_be_measured_leaves_scalars(service, caplog):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer, loss=nn.HingeEmbeddingLoss())
    train(run, model, optimizer, 5)
    assert run.finish() and service.descriptions == [] and service.bodies("snapshot") == []
    assert len([p for p in service.points() if p[0] == "loss.train"]) == 5
    assert "HingeEmbeddingLoss" in caplog.text
    service.refuse = lambda call, m: (
        {"code": "UNKNOWN_OP", "message": "op Erf", "field": "node", "value": "Erf"} if call == "DescribeModel" else None)
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = attach(service, model, optimizer)
    truth = train(run, model, optimizer, 50)
    assert run.finish()
    assert [v for n, _, v in service.points(run.id) if n == "loss.train"] == [t[1] for t in truth]
    assert service.bodies("snapshot", run.id) == [] and caplog.text.count("UNKNOWN_OP") == 1


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


def test_on_snapshot_sees_every_step_before_it_is_copied(service):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = {}
    run = attach(service, model, optimizer, on_snapshot=lambda step: seen.__setitem__(step, flat(model)))
    train(run, model, optimizer, 30)
    assert run.finish()
    measured = [r for r in service.bodies("snapshot") if r.snapshot.reason != "last"]
    assert list(seen) == [r.step for r in measured]
    for record in measured:
        assert service.blobs[record.snapshot.blob] == seen[record.step].numpy().tobytes()


@pytest.mark.parametrize("make, expected", [
    (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
     dict(name="sgd", learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.01, decoupled_decay=False)),
    (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5), dict(dampening=0.5)),
    (lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.99), eps=1e-6),
     dict(name="adam", beta1=0.8, beta2=0.99, epsilon=1e-6, departs="")),
    (lambda p: torch.optim.AdamW(p, lr=0.1), dict(name="adamw", decoupled_decay=True, weight_decay=0.01)),
    (lambda p: torch.optim.NAdam(p, lr=0.1), dict(name="nadam", beta1=0.9)),
    (lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.95), dict(name="rmsprop", beta2=0.95, momentum=0.0)),
    (lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True), dict(name="adam", departs="amsgrad")),
    (lambda p: torch.optim.SGD([{"params": [q], "lr": 0.1 * (i + 1)} for i, q in enumerate(p)], lr=1.0),
     dict(name="sgd", departs="groups differ")),
])
def test_constants_of_the_optimizer(make, expected):
    constants = read_torch_optimizer(make(list(mlp().parameters())))
    assert {k: getattr(constants, k) for k in expected} == expected


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
