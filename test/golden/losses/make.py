"""Writes losses.json: PyTorch's own losses of a linear model, in float64, with gradient and a Hessian-vector product.

Run with any torch from 1.13:  /usr/bin/python3 make.py
The model is prediction = x · w with w [3, outputs]; each case says its loss as LossSpec does. Needed again only when a case is added.
"""

import json
import pathlib

import torch
from torch.nn import functional as F

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
EXAMPLES, TOKENS, CLASSES = 5, 4, 3


def rows(*shape):
    return torch.randn(*shape).mul(1024).round() / 1024


def shared(function):
    return lambda p, y: function(p, y)


tokens_y = torch.randint(0, CLASSES, (EXAMPLES, TOKENS))
holes = tokens_y.clone()
holes[0, 1:] = -100
holes[2, 0] = -100
flat_holes = torch.tensor([0, -100, 2, 1, -100])
shares = torch.softmax(rows(EXAMPLES, CLASSES), 1)
reals = rows(EXAMPLES, CLASSES)
between = torch.rand(EXAMPLES, CLASSES).mul(8).round() / 8
classes = torch.randint(0, CLASSES, (EXAMPLES,))


def example_mean(p, y):
    each = F.cross_entropy(p.transpose(1, 2), y, reduction="none")
    return (each.sum(1) / (y != -100).sum(1)).mean()


flat, tokens = (EXAMPLES, 3), (EXAMPLES, TOKENS, 3)
CE = dict(kind="cross-entropy", reduction="sum-outputs", halved=False)
CASES = [
    ("classes", CE, flat, classes, F.cross_entropy),
    ("label smoothing", dict(CE, labelSmoothing=0.1), flat, classes, lambda p, y: F.cross_entropy(p, y, label_smoothing=0.1)),
    ("an ignored class", dict(CE, ignoredClass=-100), flat, flat_holes, F.cross_entropy),
    ("an ignored class with smoothing", dict(CE, ignoredClass=-100, labelSmoothing=0.2), flat, flat_holes,
     lambda p, y: F.cross_entropy(p, y, label_smoothing=0.2)),
    ("probabilities", dict(CE, targets="probabilities"), flat, shares, F.cross_entropy),
    ("probabilities with smoothing", dict(CE, targets="probabilities", labelSmoothing=0.3), flat, shares,
     lambda p, y: F.cross_entropy(p, y, label_smoothing=0.3)),
    ("tokens", CE, tokens, tokens_y, lambda p, y: F.cross_entropy(p.reshape(-1, CLASSES), y.reshape(-1))),
    ("tokens, classes second", dict(CE, classAxis="second"), tokens, tokens_y, lambda p, y: F.cross_entropy(p.transpose(1, 2), y)),
    ("tokens, some ignored", dict(CE, ignoredClass=-100), tokens, holes, lambda p, y: F.cross_entropy(p.transpose(1, 2), y)),
    ("tokens, mean of each example", dict(CE, ignoredClass=-100, tokens="example-mean"), tokens, holes, example_mean),
    ("tokens, sum of each example", dict(CE, ignoredClass=-100, tokens="sum"), tokens, holes,
     lambda p, y: F.cross_entropy(p.transpose(1, 2), y, reduction="sum") / EXAMPLES),
    ("squares", dict(kind="mse", reduction="mean-outputs", halved=False), flat, reals, F.mse_loss),
    ("half the sum of squares", dict(kind="mse", reduction="sum-outputs", halved=True), flat, reals,
     lambda p, y: F.mse_loss(p, y, reduction="sum") / EXAMPLES / 2),
    ("binary cross-entropy", dict(kind="binary-cross-entropy", reduction="mean-outputs", halved=False), flat, between,
     F.binary_cross_entropy_with_logits),
    ("binary cross-entropy, summed", dict(kind="binary-cross-entropy", reduction="sum-outputs", halved=False), flat, between,
     lambda p, y: F.binary_cross_entropy_with_logits(p, y, reduction="sum") / EXAMPLES),
    ("huber", dict(kind="huber", reduction="mean-outputs", halved=False, delta=0.5), flat, reals,
     lambda p, y: F.huber_loss(p, y, delta=0.5)),
    ("smooth l1", dict(kind="smooth-l1", reduction="sum-outputs", halved=False, delta=0.75), flat, reals,
     lambda p, y: F.smooth_l1_loss(p, y, beta=0.75, reduction="sum") / EXAMPLES),
]


def numbers(tensor):
    return dict(shape=list(tensor.shape), data=tensor.detach().reshape(-1).tolist())


def main():
    cases = []
    for name, spec, shape, y, function in CASES:
        x, w, v = rows(*shape), rows(3, CLASSES).requires_grad_(), rows(3, CLASSES)
        loss = function(x @ w, y)
        (gradient,) = torch.autograd.grad(loss, w, create_graph=True)
        (product,) = torch.autograd.grad((gradient * v).sum(), w)
        cases.append(dict(
            name=name, spec=spec, x=numbers(x), w=numbers(w), y=numbers(y), v=numbers(v),
            loss=loss.item(), gradient=numbers(gradient)["data"], product=numbers(product)["data"],
        ))
    path = pathlib.Path(__file__).with_name("losses.json")
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


main()
