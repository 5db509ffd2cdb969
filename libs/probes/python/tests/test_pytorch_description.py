"""PyTorch: what a run is said to be is its network, its loss, its examples and its optimizer."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_training import attach, data, mlp, train  # noqa: E402

import stagewatch  # noqa: E402
from stagewatch.conventions import read_torch_optimizer  # noqa: E402
from stagewatch.identity import Identity  # noqa: E402

nn = torch.nn


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
    assert run.finish() and service.bodies("snapshot") == []
    (description,) = service.descriptions
    assert "HingeEmbeddingLoss" in description.unmeasured and description.graph_digest == ""
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
     dict(name="sgd", learning_rate=0.1, departs="")),
    (lambda p: torch.optim.SGD([{"params": [q]} for q in p], lr=0.1), dict(learning_rate=0.1, groups=())),
])
def test_constants_of_the_optimizer(make, expected):
    constants = read_torch_optimizer(make(list(mlp().parameters())))
    assert {k: getattr(constants, k) for k in expected} == expected


def test_groups_of_parameters_are_sent_with_their_names():
    model = mlp()
    named = list(model.named_parameters())
    weights = [p for n, p in named if n.endswith("weight")]
    biases = [p for n, p in named if n.endswith("bias")]
    usual = torch.optim.SGD([{"params": weights, "weight_decay": 0.1}, {"params": biases}], lr=0.5, momentum=0.9)
    sent = Identity(name="x", optimizer=read_torch_optimizer(usual, model)).request().optimizer
    assert (sent.name, sent.learning_rate, sent.weight_decay) == ("sgd", 0.5, 0.1)
    assert [(g.learning_rate, g.momentum, g.weight_decay) for g in sent.groups] == [(0.5, 0.9, 0.1), (0.5, 0.9, 0.0)]
    assert [list(g.parameters) for g in sent.groups] == [
        [n for n, _ in named if n.endswith("weight")], [n for n, _ in named if n.endswith("bias")]]
    assert [g.parameter_count for g in sent.groups] == [sum(p.numel() for p in part) for part in (weights, biases)]


def test_what_is_known_of_the_batch_is_sent():
    request = Identity(name="x", batch_size=32, training_examples=1500, full_batch=False).request()
    assert (request.batch_size, request.training_examples, request.full_batch) == (32, 1500, False)
    assert Identity(name="x", full_batch=True).request().full_batch
