"""Exports the networks of zoo.py with both of PyTorch's exporters, and writes what PyTorch itself says of them.

    python test/networks/make.py OUT [NAME-PART…]

Needs torch 2, torchvision, timm, transformers, onnx and onnxscript. For each network and exporter OUT gets a folder with
`model.onnx`, `about.json` and `numbers.npz` (probe set, parameters, gradient, a vector and its Hessian product); a network that
takes too long or fails in PyTorch gets a file that says so. Networks are exported as the Python probe does it. The truth is
float64: double backward, or central differences of the gradient where PyTorch has no second derivative.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import pathlib
import shutil
import signal
import sys
import time
import warnings

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "libs/probes/python/src"))
sys.path.insert(0, str(HERE))

from stagewatch.pytorch.export import Call, export_by_dynamo, export_by_tracing, fix_padding, make_distinct, shared_names  # noqa: E402
from stagewatch.pytorch.loss import prediction  # noqa: E402
from stagewatch.pytorch.subject import as_trained  # noqa: E402
from zoo import ZOO  # noqa: E402

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)
#: Networks at a time, and what one may take.
JOBS = 2
LIMIT_S = 120
EXPORTERS = {"tracing": export_by_tracing, "dynamo": export_by_dynamo}


def flat(tensors):
    return torch.cat([t.detach().reshape(-1).double() for t in tensors]).numpy()


def loss_of(output, y):
    if output.dim() > 2:
        output = output.reshape(-1, output.shape[-1])
        y = y.reshape(-1)
    return torch.nn.functional.cross_entropy(output, y)


def gradient_of(model, x, y, create_graph=False):
    parameters = [p for p in model.parameters() if p.requires_grad]
    loss = loss_of(prediction(model(x)), y)
    return loss, torch.autograd.grad(loss, parameters, create_graph=create_graph, allow_unused=True)


def derivatives(model, x, y, vector):
    """Loss, gradient and Hessian product, in the precision of the model; and how the product was made."""
    parameters = [p for p in model.parameters() if p.requires_grad]

    def gradient(create_graph=False):
        return gradient_of(model, x, y, create_graph)

    def filled(parts):
        return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, parts)]

    v, begin = [], 0
    for p in parameters:
        v.append(torch.from_numpy(vector[begin : begin + p.numel()]).to(p.dtype).reshape(p.shape))
        begin += p.numel()
    loss, first = gradient()
    unused = [g is None for g in first]
    how = "double backward"
    try:
        _, parts = gradient(create_graph=True)
        along = sum((g * d).sum() for g, d in zip(parts, v) if g is not None)
        product = torch.autograd.grad(along, parameters, allow_unused=True)
    except Exception:
        how = "central differences"
        step = 1e-5 / float(torch.sqrt(sum((d * d).sum() for d in v)))
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for p, d in zip(parameters, v):
                    p.add_(sign * step * d)
            sides.append(filled(gradient()[1]))
            with torch.no_grad():
                for p, d in zip(parameters, v):
                    p.sub_(sign * step * d)
        product = [(a - b) / (2 * step) for a, b in zip(*sides)]
    return float(loss), filled(first), filled(product), unused, how


def one(name, make, out):
    torch.manual_seed(1)
    model, x = make()
    model.train()
    twin = as_trained(model)
    named = [(n, p) for n, p in twin.named_parameters() if p.requires_grad]
    with torch.no_grad():
        output = prediction(twin(x))
    torch.manual_seed(2)
    y = torch.randint(0, output.shape[-1], tuple(output.shape[:-1]))
    vector = torch.randn(sum(p.numel() for _, p in named)).numpy().astype(np.float64)
    vector *= moving(twin, named)
    # Single precision holds it exactly, so that all are given the same.
    vector = (vector / np.linalg.norm(vector)).astype(np.float32).astype(np.float64)
    exact = copy.deepcopy(twin).double()
    xd = x.double() if x.is_floating_point() else x
    # The other ways to compute attention have no second derivative in PyTorch.
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        loss, gradient, product, unused, how = derivatives(exact, xd, y, vector)
        _, single_gradient, single_product, _, single_how = derivatives(copy.deepcopy(twin), x, y, vector)
    g, h = flat(gradient), flat(product)
    about = dict(
        name=name, count=len(g), examples=len(x), loss=loss, how=how,
        parameters=[n for n, _ in named], aliases=shared_names(twin),
        unused={n: list(p.shape) for (n, p), gone in zip(named, unused) if gone},
        # How far single precision takes PyTorch itself; differences of single precision would say nothing.
        rounding=dict(
            gradient=apart(flat(single_gradient), g),
            product=apart(flat(single_product), h) if single_how == "double backward" else None,
        ),
    )
    for exporter, export in EXPORTERS.items():
        folder = folder_of(out, name, exporter)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            began = time.perf_counter()
            example = x[:2]
            exported = copy.deepcopy(twin)
            fix_padding(exported)
            make_distinct(exported)
            (folder / "model.onnx").write_bytes(export(exported, Call.plain(exported, example)))
            failure = None
        except Exception as error:
            failure = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:200]}"
        (folder / "about.json").write_text(json.dumps(dict(about, exporter=exporter, failure=failure, seconds=time.perf_counter() - began)))
        numbers = dict(x=x.numpy(), y=y.numpy(), theta=flat([p for _, p in named]).astype(np.float32), gradient=g, vector=vector, product=h)
        np.savez(folder / "numbers.npz", **numbers)
        (folder / "done").write_text("")


def moving(model, named):
    """0 for rows of embeddings that stand for padding, which PyTorch gives no gradient and so never moves; 1 else."""
    rows = {id(m.weight): m.padding_idx for m in model.modules() if isinstance(m, torch.nn.Embedding) and m.padding_idx is not None}
    masks = []
    for _, p in named:
        mask = np.ones(tuple(p.shape))
        if id(p) in rows:
            mask[rows[id(p)]] = 0
        masks.append(mask.reshape(-1))
    return np.concatenate(masks)


def folder_of(out, name, exporter):
    return out / f"{name.replace('/', '-').replace(' ', '').replace('(', '-').replace(')', '')}.{exporter}"


def apart(a, b):
    return float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1))


def warm_up():
    """Loads what all need before the processes part."""
    import timm  # noqa: F401
    import torchvision  # noqa: F401
    import transformers.modeling_utils  # noqa: F401

    for export in EXPORTERS.values():
        linear = torch.nn.Linear(2, 2)
        export(linear, Call.plain(linear, torch.randn(3, 2)))


def record(out, name, why):
    path = out / f"{folder_of(out, name, 'left-out').name}.json"
    path.write_text(json.dumps(dict(name=name, why=why)))
    print(f"{name}: LEFT OUT: {why}", flush=True)


def in_child(name, make, out):
    """The alarm ends the process, whatever it is doing."""
    child = os.fork()
    if child > 0:
        return child
    signal.alarm(LIMIT_S)
    code = 0
    began = time.perf_counter()
    try:
        one(name, make, out)
        print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
    except BaseException as error:
        record(out, name, f"PyTorch fails: {type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:200]}")
        code = 1
    os._exit(code)


def main():
    out, parts = pathlib.Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(parents=True, exist_ok=True)
    (out / "zoo.json").write_text(json.dumps(list(ZOO)))
    torch.set_num_threads(1)
    warm_up()
    waiting = [name for name in ZOO if not parts or any(part in name for part in parts)]
    running = {}
    while waiting or running:
        while waiting and len(running) < JOBS:
            name = waiting.pop(0)
            if all((folder_of(out, name, exporter) / "done").exists() for exporter in EXPORTERS):
                continue
            (out / f"{folder_of(out, name, 'left-out').name}.json").unlink(missing_ok=True)
            for exporter in EXPORTERS:
                shutil.rmtree(folder_of(out, name, exporter), ignore_errors=True)
            running[in_child(name, ZOO[name], out)] = name
        if not running:
            break
        child, status = os.wait()
        name = running.pop(child)
        if os.WIFSIGNALED(status):
            late = os.WTERMSIG(status) == signal.SIGALRM
            record(out, name, f"too slow: over {LIMIT_S} s" if late else f"PyTorch ends with signal {os.WTERMSIG(status)}")


main()
