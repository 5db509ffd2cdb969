"""Makes the ONNX files of this folder with torch.onnx, and beside each the numbers of PyTorch's own double backward.

Run with a Python that has torch 1.13 and onnx:  /usr/bin/python3 make.py
The numbers are computed in float64 at the float32 weights of the file: loss (mean over examples), its gradient, and the
product of its Hessian with one vector. Needed again only when a case is added.
"""

import copy
import json
import pathlib
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")
FOLDER = pathlib.Path(__file__).parent
EXAMPLES = 6


class Viewed(nn.Module):
    """Flattens with the number of examples written out, which becomes Shape, Gather, Concat."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(12, 7)
        self.fc2 = nn.Linear(7, 4)

    def forward(self, x):
        x = x.view(x.size(0), x.size(1) * x.size(2))
        return self.fc2(torch.relu(self.fc1(x)))


class Tokens(nn.Module):
    """Linear over three axes: a MatMul with a transposed weight."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 5)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(15, 3, bias=False)

    def forward(self, x):
        h = self.drop(torch.sigmoid(self.mix(x)))
        return torch.log_softmax(self.head(h.flatten(1)), dim=-1)


class Mixed(nn.Module):
    """A residual branch, a mean, powers, roots, quotients, a frozen buffer. Constants are exact in float32."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(5, 5)
        self.scale = nn.Parameter(torch.rand(5) + 0.5)
        self.fc2 = nn.Linear(5, 2)
        self.register_buffer("shift", torch.linspace(-1, 1, 5))
        self.act = nn.LeakyReLU(0.125)

    def forward(self, x):
        h = x + self.act(self.fc1(x)) - self.shift
        h = h - h.mean(dim=1, keepdim=True)
        h = h / torch.sqrt(h.pow(2).mean(dim=1, keepdim=True) + 2**-10)
        return self.fc2(torch.exp(-h) * self.scale).unsqueeze(1).squeeze(1) / 3.0


def mlp(sizes, activation):
    layers = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers.append(nn.Linear(a, b))
        if i < len(sizes) - 2:
            layers.append(activation())
    return nn.Sequential(*layers)


CASES = {
    "tanh-classes": dict(model=lambda: mlp([6, 8, 5, 3], nn.Tanh), x=(6,), loss=("cross-entropy", "sum-outputs", False)),
    "relu-viewed": dict(model=Viewed, x=(3, 4), loss=("mse", "mean-outputs", False), inputs=True),
    "tokens-log-softmax": dict(model=Tokens, x=(3, 4), loss=("cross-entropy", "sum-outputs", False)),
    "mixed-squares": dict(model=Mixed, x=(5,), loss=("mse", "sum-outputs", True)),
    "sigmoid-squares": dict(model=lambda: mlp([4, 6, 2], nn.Sigmoid), x=(4,), loss=("mse", "sum-outputs", False)),
}


def loss_of(prediction, y, loss):
    kind, reduction, halved = loss
    if kind == "cross-entropy":
        return nn.functional.cross_entropy(prediction, y)
    errors = (prediction - y) ** 2
    per_example = errors.sum(1) if reduction == "sum-outputs" else errors.mean(1)
    return per_example.mean() * (0.5 if halved else 1.0)


def export(model, x, name, **options):
    axes = {"input": {0: "batch"}, "output": {0: "batch"}}
    given = dict(do_constant_folding=False, dynamic_axes=axes, input_names=["input"], output_names=["output"], opset_version=14)
    given.update(options)
    torch.onnx.export(model.eval(), x, str(FOLDER / f"{name}.onnx"), **given)


def flat(tensors):
    return [number for tensor in tensors for number in tensor.detach().reshape(-1).tolist()]


def main():
    for seed, (name, case) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        model = case["model"]()
        x = torch.randn(EXAMPLES, *case["x"])
        outputs = model(x).shape[1]
        kind, reduction, halved = case["loss"]
        y = torch.randint(0, outputs, (EXAMPLES,)) if kind == "cross-entropy" else torch.randn(EXAMPLES, outputs)
        # Another opset in some, and parameters as plain inputs in one.
        options = dict(export_params=False, keep_initializers_as_inputs=True) if case.get("inputs") else {}
        export(model, x[:2], name, opset_version=11 + seed, **options)

        exact = copy.deepcopy(model).double().eval()
        names, parameters = zip(*exact.named_parameters())
        prediction = exact(x.double())
        loss = loss_of(prediction, y if kind == "cross-entropy" else y.double(), case["loss"])
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
        vector = [torch.randn_like(p).float().double() for p in parameters]
        along = sum((g * v).sum() for g, v in zip(gradient, vector))
        product = torch.autograd.grad(along, parameters)
        oracle = dict(
            loss_spec=dict(kind=kind, reduction=reduction, halved=halved),
            parameters=[dict(name=n, shape=list(p.shape)) for n, p in zip(names, parameters)],
            theta=flat(parameters),
            x=dict(shape=list(x.shape), data=flat([x])),
            y=dict(shape=list(y.shape), data=flat([y])),
            prediction=flat([prediction]),
            loss=loss.item(),
            gradient=flat(gradient),
            vector=flat(vector),
            product=flat(product),
        )
        (FOLDER / f"{name}.json").write_text(json.dumps(oracle) + "\n")

    torch.manual_seed(99)
    # What must be refused: a weight that folding has renamed, a fixed number of examples.
    export(Tokens(), torch.randn(2, 3, 4), "refused-folded", do_constant_folding=True)
    export(mlp([3, 4, 2], nn.Tanh), torch.randn(2, 3), "refused-fixed-batch", dynamic_axes={})


main()
