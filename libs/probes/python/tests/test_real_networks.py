"""Networks at their default initialisation, by the whole road: attached, described, measured, against PyTorch in double precision."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from exact import top_eigenvalue  # noqa: E402
from test_real_service import MAIN, Service, pytestmark  # noqa: E402, F401

import stagewatch  # noqa: E402

nn = torch.nn
functional = nn.functional


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("networks")).start()
    yield service
    service.stop()


class Encoder(nn.Module):
    """`nn.TransformerEncoderLayer` without a mask, as a classifier."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.layers(x).mean(1))


class Gpt(nn.Module):
    """Two blocks of masked attention over tokens, written by hand."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.position = nn.Parameter(torch.zeros(5, 8))
        self.blocks = nn.ModuleList(nn.ModuleDict({
            "first": nn.LayerNorm(8), "second": nn.LayerNorm(8), "qkv": nn.Linear(8, 24), "out": nn.Linear(8, 8),
            "up": nn.Linear(8, 16), "down": nn.Linear(16, 8)}) for _ in range(2))
        self.last = nn.LayerNorm(8)
        self.head = nn.Linear(8, 11, bias=False)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids):
        h = self.embedding(ids) + self.position
        mask = torch.full((5, 5), -1e9).triu(1).to(h.dtype)
        for block in self.blocks:
            q, k, v = block["qkv"](block["first"](h)).chunk(3, -1)
            h = h + block["out"](torch.softmax(q @ k.transpose(1, 2) / 8 ** 0.5 + mask, -1) @ v)
            h = h + block["down"](functional.gelu(block["up"](block["second"](h))))
        return self.head(self.last(h))


def zeroed():
    """Hidden layers as wide as each other, with zero biases."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    for layer in model[::2]:
        nn.init.zeros_(layer.bias)
    return model


def resnet():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.Softplus(),
                                      nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))

        def forward(self, x):
            return functional.softplus(x + self.body(x))

    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), Block(), Block(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def of(library, make):
    def of_library():
        return make(pytest.importorskip(library))
    return of_library


def tokens():
    return torch.randint(0, 11, (12, 5)), torch.randint(0, 11, (12, 5))


def vectors(*shape):
    return lambda: (torch.randn(16, *shape), torch.randint(0, 3, (16,)))


NETWORKS = {
    "two LayerNorms": (lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 8), nn.LayerNorm(8),
                                             nn.Linear(8, 3)), vectors(6)),
    "two zeroed biases": (zeroed, vectors(6)),
    "TransformerEncoderLayer": (Encoder, vectors(4, 8)),
    "GPT": (Gpt, tokens),
    "ResNet": (resnet, vectors(3, 8, 8)),
    "timm ViT": (of("timm", lambda timm: timm.create_model(
        "vit_tiny_patch16_224", img_size=16, patch_size=8, embed_dim=12, depth=2, num_heads=2, num_classes=3)), vectors(3, 16, 16)),
    "timm ConvNeXt": (of("timm", lambda timm: timm.create_model(
        "convnext_atto", depths=(1, 1, 1, 1), dims=(4, 8, 8, 8), num_classes=3)), vectors(3, 32, 32)),
    "torchvision ViT": (of("torchvision", lambda vision: vision.models.VisionTransformer(16, 8, 2, 2, 12, 24, num_classes=3)),
                        vectors(3, 16, 16)),
}


def attach(real, model, optimizer, train, **options):
    run = stagewatch.attach(model, optimizer, address=real.address, quiet=True, train=train, drain_seconds=60, **options)
    assert run.wait_attached(20)
    return run


def reading(real, run, step, name="sharpness"):
    """(value, bound) at a step; when the instrument is off instead, its reason is the failure."""
    rows = real.wait(lambda: readings(real, run, name, step) or reason_off(real, run, name), 90)
    assert not isinstance(rows, str), rows
    return float(rows[0]["value"]), float(rows[0]["bound"])


def readings(real, run, name, step):
    return real.sql(f"SELECT value, bound FROM readings WHERE run = '{run.id}' AND name = '{name}' AND step = {step}")


def reason_off(real, run, name="sharpness"):
    """Empty while it is on, or nothing has been decided."""
    rows = real.sql(f"SELECT reason FROM instruments WHERE run = '{run.id}' AND instrument = '{name}' AND NOT enabled")
    undecided = ("no snapshot has been measured yet", "the job has not described its model")
    return rows[0]["reason"] if rows and rows[0]["reason"] not in undecided else ""


@pytest.mark.parametrize("name", NETWORKS)
def test_default_initialisation(real, name):
    make, data = NETWORKS[name]
    torch.manual_seed(3)
    model = make()
    x, y = data()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    run = attach(real, model, optimizer, (x, y), loss="cross-entropy", name=name)

    def loss_of(exact):
        exact.train()
        for module in exact.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
        output = exact(x if x.dtype == torch.int64 else x.double())
        return functional.cross_entropy(output.reshape(-1, output.shape[-1]), y.reshape(-1))

    expected = top_eigenvalue(model, loss_of)
    functional.cross_entropy(model(x).reshape(len(y.reshape(-1)), -1), y.reshape(-1)).backward()
    optimizer.step()
    run.step(loss=1.0)
    assert run.finish()
    value, bound = reading(real, run, 0)
    assert value == pytest.approx(expected, rel=3e-4)
