"""Writes elementwise.json: PyTorch's values, gradients and Hessian-vector products of elementwise functions and reductions.

Run with torch 2.15 (older ones differ at the bounds of clamp):  python3 make.py
Everything is in float64. The gradient is that of sum(weights * f(inputs)), the product is along `vectors`; a product is null
where PyTorch has none. NaN and infinities are texts. Needed again only when a case is added.
"""

import json
import math
import pathlib

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
INF, NAN = math.inf, math.nan
CASES = []


def spread(count, low, high):
    """Numbers between two bounds in no order, none of them round."""
    step = (high - low) / count
    return [round(low + step * ((5 * i) % count + 0.37), 6) for i in range(count)]


def numbers(tensor):
    return [x if math.isfinite(x) else str(x) for x in tensor.detach().reshape(-1).tolist()]


def plain(tensor):
    """Without the memory layout of a zero that was never made."""
    return torch.zeros(tensor.shape) + tensor.clone()


def case(name, f, *inputs, edge=False):
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    y = f(*tensors)
    weights = 1 + torch.arange(y.numel()).reshape(y.shape) / 8
    gradients = torch.autograd.grad((weights * y).sum(), tensors, create_graph=True)
    vectors = [torch.linspace(-1, 1.5, x.numel()).reshape(x.shape) for x in tensors]
    products = None
    if not edge:
        try:
            along = sum((g * v).sum() for g, v in zip(gradients, vectors))
            products = torch.autograd.grad(along, tensors, materialize_grads=True)
        except RuntimeError:
            products = [torch.zeros_like(x) for x in tensors] if not any(g.requires_grad for g in gradients) else None
    CASES.append(
        {
            "name": name,
            "edge": edge,
            "inputs": [{"shape": list(x.shape), "data": numbers(x)} for x in tensors],
            "output": numbers(y),
            "weights": numbers(weights),
            "gradients": [numbers(plain(g)) for g in gradients],
            "vectors": [numbers(v) for v in vectors],
            "products": products and [numbers(plain(p)) for p in products],
        }
    )


WIDE, ONE, POSITIVE = spread(9, -6, 6), spread(7, -1, 1), spread(7, 0.2, 3)
UNARY = {
    "abs": (torch.abs, WIDE, [0.0, INF, -INF]),
    "erf": (torch.erf, WIDE, [0.0, INF, -INF]),
    "sin": (torch.sin, WIDE, [0.0]),
    "cos": (torch.cos, WIDE, [0.0]),
    "tan": (torch.tan, ONE, [0.0]),
    "asin": (torch.asin, ONE, [1.0, -1.0, 2.0, 0.0]),
    "acos": (torch.acos, ONE, [1.0, -1.0, 2.0, 0.0]),
    "atan": (torch.atan, WIDE, [INF, -INF, 0.0]),
    "sinh": (torch.sinh, WIDE, [0.0]),
    "cosh": (torch.cosh, WIDE, [0.0]),
    "asinh": (torch.asinh, WIDE, [0.0, INF]),
    "acosh": (torch.acosh, spread(7, 1, 5), [1.0, 0.5]),
    "atanh": (torch.atanh, ONE, [1.0, -1.0, 0.0]),
    "relu": (F.relu, WIDE, [0.0, INF, -INF]),
    "leakyRelu": (lambda x: F.leaky_relu(x, 0.1), WIDE, [0.0, INF, -INF]),
    "elu": (lambda x: F.elu(x, 0.7), WIDE, [0.0, INF, -INF, 800.0]),
    "selu": (F.selu, WIDE, [0.0, INF, -INF]),
    "celu": (lambda x: F.celu(x, 0.5), WIDE, [0.0, INF, -INF]),
    "gelu": (F.gelu, WIDE, [0.0, 100.0, -100.0, INF, NAN]),
    "geluTanh": (lambda x: F.gelu(x, approximate="tanh"), WIDE, [0.0, 100.0, -100.0, INF, NAN]),
    "silu": (F.silu, WIDE, [0.0, 100.0, -100.0, -800.0, NAN]),
    "mish": (F.mish, WIDE, [0.0, 100.0, -100.0, NAN]),
    "softplus": (lambda x: F.softplus(x, threshold=1000), WIDE, [0.0, 100.0, -100.0, INF, -INF, NAN]),
    "softsign": (F.softsign, WIDE, [0.0, NAN, INF]),
    "hardSwish": (F.hardswish, WIDE, [-3.0, 3.0, 0.0, INF, -4.0]),
    "hardSigmoid": (lambda x: F.hardtanh(x / 6 + 0.5, 0, 1), WIDE, [-3.0, 3.0, 0.0, INF, -INF]),
    "hardtanh": (F.hardtanh, WIDE, [-1.0, 1.0, 0.0, INF, -INF]),
    "relu6": (F.relu6, WIDE, [0.0, 6.0, INF, -INF]),
    "clampBelow": (lambda x: x.clamp(min=-1), WIDE, [-1.0, 1.0, INF, -INF]),
    "clampAbove": (lambda x: x.clamp(max=1), WIDE, [-1.0, 1.0, INF, -INF]),
    "threshold": (lambda x: F.threshold(x, 1.0, 0.0), WIDE, [1.0, INF]),
    "softshrink": (lambda x: F.softshrink(x, 0.5), WIDE, [0.5, -0.5, 0.0, INF]),
    "hardshrink": (lambda x: F.hardshrink(x, 0.5), WIDE, [0.5, -0.5, 0.0, INF]),
    "logSigmoid": (F.logsigmoid, WIDE, [0.0, 100.0, -100.0, -1000.0]),
    "sqrt": (torch.sqrt, POSITIVE, [0.0, -1.0, INF]),
    "log": (torch.log, POSITIVE, [0.0, INF]),
    "cube": (lambda x: x**3, WIDE, [0.0, INF, -2.0]),
    "power3/2": (lambda x: x**1.5, POSITIVE, [0.0, -2.0]),
    "power0": (lambda x: x**0.0, WIDE, [0.0, NAN]),
    "floor": (torch.floor, WIDE, [0.0, -0.5, 2.0, INF, NAN]),
    "ceil": (torch.ceil, WIDE, [0.0, -0.5, 2.0, INF, NAN]),
    "trunc": (torch.trunc, WIDE, [0.0, -0.5, 2.0, INF, NAN]),
    "round": (torch.round, WIDE, [0.5, 1.5, 2.5, -0.5, -1.5, NAN]),
    "sqrtOfClamped": (lambda x: x.clamp(min=0).sqrt(), POSITIVE, [-1.0, 0.0, 4.0]),
    "sqrtOfPositive": (lambda x: F.relu(x).sqrt(), POSITIVE, [-1.0, 0.0, 4.0]),
    "acosOfClamped": (lambda x: x.clamp(-1, 1).acos(), ONE, [-2.0, -1.0, 0.5, 2.0]),
    "logWherePositive": (lambda x: torch.where(x > 0, x.clamp(min=1e-3).log(), 0 * x), POSITIVE, [-1.0, 0.0, 2.0]),
}
for name, (f, points, edges) in UNARY.items():
    case(name, f, points)
    # What a choice or a bound shuts out must not come back as 0 * infinity in a second derivative.
    case(name, f, edges, edge=not name.endswith(("Clamped", "Positive")))

A, B = spread(9, -3, 3), spread(8, -2, 2.5) + [0.7]
for name, f in {"maximum": torch.maximum, "minimum": torch.minimum}.items():
    case(name, f, A, B)
    case(name, f, [1.0, 0.0, NAN, 1.0, INF, -INF], [1.0, 1.0, 0.0, NAN, INF, INF], edge=True)
case("pow", torch.pow, spread(8, 0.2, 3), spread(8, -2, 3))
case("pow", torch.pow, [0.0, 0, 0, -2, -2, 2, 0, NAN, 1, -3], [0.0, 2, 1, 3, 0.5, 0, -1, 0, INF, -2], edge=True)
case("wholePower", lambda x: torch.pow(x, torch.tensor([3.0, 2, 1, 0, -2])), [-1.3, -0.7, -2.1, -0.4, -1.7])
case("fmod", torch.fmod, [5.3, -5.3, 5.3, -5.3], [3.1, 3.1, -3.1, -3.1])
case("remainder", torch.remainder, [5.3, -5.3, 5.3, -5.3], [3.1, 3.1, -3.1, -3.1])
case("prelu", lambda x, w: F.prelu(x.view(1, -1), w).view(-1), A, B)
case("prelu", lambda x, w: F.prelu(x.view(1, -1), w).view(-1), [0.0, -2, 2, -INF], [0.1, 0.2, 0.3, 0], edge=True)
CHOICE = torch.tensor([True, False, True, False])
case("whereRoots", lambda a, b: torch.where(CHOICE, a.sqrt(), b.log()), [4.0, 9, 2, 3], [1.0, 2, 3, 5])
case("where", lambda a, b: torch.where(CHOICE, a * a, b), [4.0, NAN, 2, INF], [NAN, 2.0, INF, 5], edge=True)

ROWS = [spread(4, -2, 3), spread(4, 0.3, 2), [0.4, -1.2, 0.9, 2.6]]
REDUCTIONS = {
    "amax": lambda x: x.amax(1),
    "amin": lambda x: x.amin(1),
    "prod": lambda x: x.prod(1),
    "logsumexp": lambda x: x.logsumexp(1),
    "norm1": lambda x: torch.linalg.vector_norm(x, 1, 1),
    "norm2": lambda x: torch.linalg.vector_norm(x, 2, 1),
}
for name, f in REDUCTIONS.items():
    case(name, f, ROWS)
case("amax", REDUCTIONS["amax"], [[1.0, 1, 0], [2, 2, 2], [-INF, 3, -INF], [INF, INF, 0]], edge=True)
case("amin", REDUCTIONS["amin"], [[1.0, 0, 0], [2, 2, 2], [INF, 3, INF], [-INF, -INF, 0]], edge=True)
case("prod", REDUCTIONS["prod"], [[0.0, 2, 3], [0, 0, 3], [0, 0, 0], [-1, 2, 0]])
case("logsumexp", REDUCTIONS["logsumexp"], [[1000.0, 999, 0], [-INF, 0, 1], [-1000, -1000, -1000]], edge=True)
case("norm1", REDUCTIONS["norm1"], [[0.0, -2, 3], [0, 0, 0]], edge=True)
case("norm2", REDUCTIONS["norm2"], [[0.0, -3, 4], [0, 0, 0]], edge=True)
for name, f in REDUCTIONS.items():
    case(name + " of one", f, [[0.7], [-1.3]])

pathlib.Path(__file__).with_suffix(".json").with_stem("elementwise").write_text(
    "[\n" + ",\n".join(json.dumps(each) for each in CASES) + "\n]\n"
)
