"""Makes the networks of this folder and the numbers of PyTorch's own double backward.

Run with a Python that has torch 2.15, onnx and onnxscript:  python make.py [--into FOLDER] [--exporter old] [name ...]
With torch 1.13 and `--exporter old` it does too, for what that PyTorch knows.
For each network of models.py: `<name>.<exporter>.onnx`, where the exporter is `old` (TorchScript) or `new` (torch.export),
and `<name>.json`. Parameters are taken out of the files and become inputs: they, the examples and the vector are made of a
seed here and by the test alike (`numbers`), so that a file holds the structure only. What is compared is float64 at the
float32 values: loss (mean over examples), gradient, and the product of the Hessian with one vector; of the last two the norm
and some coordinates. Needed again only when a case is added.
"""

import argparse
import contextlib
import json
import pathlib
import warnings

import numpy
import onnx
import torch
from torch import nn

import models

warnings.filterwarnings("ignore")
COORDINATES = 240
IS_NEW = int(torch.__version__.split(".")[0]) >= 2
if IS_NEW:
    torch.backends.mha.set_fastpath_enabled(False)


def plain_attention():
    """The fused attention of the CPU has no second derivative."""
    if not IS_NEW:
        return contextlib.nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH)


def numbers(seed, count):
    """`count` numbers in [-1, 1): Mulberry32, as `uniform` of libs/graph/testing/numbers.ts."""
    u32 = numpy.uint32
    with numpy.errstate(over="ignore"):
        state = u32(seed) + (numpy.arange(count, dtype=u32) + u32(1)) * u32(0x6D2B79F5)
        t = (state ^ (state >> u32(15))) * (state | u32(1))
        t = t ^ (t + (t ^ (t >> u32(7))) * (t | u32(61)))
        return (t ^ (t >> u32(14))).astype(numpy.float64) / 2**31 - 1


def parameter_values(index, name, shape):
    """Matrices and kernels by their fan-in, scales of normalisations about 1, shifts about 0."""
    u = numbers(1000 + index, int(numpy.prod(shape)))
    if len(shape) > 1 and min(shape) > 0 and not all(s == 1 for s in shape[1:]):
        values = u * (3 / numpy.prod(shape[1:])) ** 0.5
    else:
        values = 1 + u / 4 if name.endswith(("weight", "scale")) else u / 4
    return torch.from_numpy(values.astype(numpy.float32)).reshape(shape)


def buffer_values(index, name, shape):
    u = numbers(5000 + index, int(numpy.prod(shape)))
    values = 1 + u / 2 if name.endswith("running_var") else u / 4
    return torch.from_numpy(values.astype(numpy.float32)).reshape(shape)


def case(make, x, y=("class", 5), train=False, exporters=("old", "new"), examples=4, **options):
    return dict(make=make, x=x, y=y, train=train, exporters=exporters, examples=examples, **options)


def vgg(norm):
    return lambda: models.Vgg(norm)


def resnet():
    return models.ResNet18(width=4, classes=5)


# The new exporter writes batch normalisation in training mode as inference: only the old one has those cases.
CASES = {
    "mlp": case(models.Mlp, (12,)),
    "lenet": case(models.LeNet, (1, 16, 16)),
    "vgg": case(vgg(False), (3, 8, 8)),
    "vgg-norm-train": case(vgg(True), (3, 8, 8), train=True, exporters=("old",)),
    "vgg-norm-eval": case(vgg(True), (3, 8, 8)),
    "resnet18-train": case(resnet, (3, 32, 32), train=True, exporters=("old",), examples=3),
    "resnet18-eval": case(resnet, (3, 32, 32), examples=2),
    "mobilenet-train": case(models.MobileNet, (3, 12, 12), train=True, exporters=("old",)),
    "mobilenet-eval": case(models.MobileNet, (3, 12, 12)),
    # Hard-sigmoid has no second derivative in PyTorch.
    "gated-train": case(models.Gated, (3, 8, 8), y=("values", 4), train=True, exporters=("old",), by_differences=True),
    "gated-eval": case(models.Gated, (3, 8, 8), y=("values", 4), by_differences=True),
    "convnext": case(models.ConvNeXt, (3, 8, 8), y=("values", 4)),
    "vit": case(models.ViT, (3, 8, 8)),
    "gpt": case(lambda: models.Gpt(True), ("tokens", 11, 6), y=("token-class", 11)),
    "gpt-attention": case(lambda: models.Gpt(False), ("tokens", 11, 6), y=("token-class", 11)),
    "lstm": case(lambda: models.Recurrent("LSTM", num_layers=2, bidirectional=True), (5, 4), y=("class", 3)),
    "lstm-state": case(models.LastState, (5, 4), y=("class", 3)),
    "gru": case(lambda: models.Recurrent("GRU", num_layers=2), (5, 4), y=("values", 3)),
    "rnn": case(lambda: models.Recurrent("RNN", bidirectional=True), (5, 4), y=("values", 3)),
    "rnn-relu": case(lambda: models.Recurrent("RNN", nonlinearity="relu", bias=False), (5, 4), y=("values", 3)),
    "norms": case(models.Norms, (2, 6, 6), y=("values", 3)),
}


def whole(seed, count, below):
    return torch.from_numpy(((numbers(seed, count) + 1) / 2 * below).astype(numpy.int64))


def examples_of(given):
    n = given["examples"]
    if given["x"][0] == "tokens":
        _, vocabulary, length = given["x"]
        x = whole(1, n * length, vocabulary).reshape(n, length)
    else:
        x = torch.from_numpy(numbers(1, n * int(numpy.prod(given["x"]))).astype(numpy.float32)).reshape(n, *given["x"])
    kind, size = given["y"]
    if kind == "values":
        return x, torch.from_numpy(numbers(2, n * size).astype(numpy.float32)).reshape(n, size)
    shape = (n,) if kind == "class" else (n, given["x"][2])
    return x, whole(2, int(numpy.prod(shape)), size).reshape(shape)


def loss_of(prediction, y, kind):
    """Means over examples; of one example the sum of its squares, halved, or the mean over its tokens."""
    if kind == "values":
        return ((prediction - y) ** 2).sum(1).mean() / 2
    return nn.functional.cross_entropy(prediction.flatten(0, -2), y.flatten())


def export_old(model, x, train, path):
    mode = torch.onnx.TrainingMode.TRAINING if train else torch.onnx.TrainingMode.EVAL
    chosen = dict(dynamo=False) if IS_NEW else {}
    torch.onnx.export(
        model, (x,), str(path), **chosen, do_constant_folding=False, training=mode, opset_version=17,
        input_names=["input"], output_names=["output"], dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
    )


def export_new(model, x, path):
    program = torch.onnx.export(
        model, (x,), dynamo=True, optimize=False, verbose=False, input_names=["input"], output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    program.save(str(path))


def forget(part):
    """Notes that the format has since IR version 10."""
    if hasattr(part, "metadata_props"):
        del part.metadata_props[:]


def without_parameters(path, parameters, aliases):
    """Takes the parameters' values out, and the notes for people. Answers each parameter's name in the file."""
    model = onnx.load(path)
    graph = model.graph
    known = {tensor.name for tensor in graph.initializer}
    parameters = [next(n for n in [name, *aliases.get(name, [])] if n in known) for name in parameters]
    kept = [tensor for tensor in graph.initializer if tensor.name not in parameters]
    taken = [tensor for tensor in graph.initializer if tensor.name in parameters]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    inputs = {value.name for value in graph.input}
    for tensor in taken:
        if tensor.name not in inputs:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    for node in graph.node:
        node.doc_string = ""
        forget(node)
    for part in [*graph.input, *graph.output, *graph.initializer, graph, model]:
        forget(part)
    path.write_bytes(model.SerializeToString())
    return parameters


def tied(model):
    """The further names of parameters that have several."""
    first = {id(p): n for n, p in model.named_parameters()}
    found = {}
    for prefix, module in model.named_modules(remove_duplicate=False):
        for own, parameter in module.named_parameters(recurse=False):
            name = f"{prefix}.{own}" if prefix else own
            if first[id(parameter)] != name:
                found.setdefault(first[id(parameter)], []).append(name)
    return found


def sample(vector):
    count = min(COORDINATES, vector.numel())
    at = [(i * vector.numel()) // count for i in range(count)]
    return dict(norm=vector.norm().item(), values=[vector[i].item() for i in at])


def flat(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def by_differences(exact, parameters, v, gradient_here, step=1e-6):
    """Central differences of the gradient along v."""

    def moved(sign):
        with torch.no_grad():
            for p, part in zip(parameters, v):
                p.add_(part, alpha=sign * step)
        gradient = flat(gradient_here())
        with torch.no_grad():
            for p, part in zip(parameters, v):
                p.add_(part, alpha=-sign * step)
        return gradient

    return (moved(1) - moved(-1)) / (2 * step)


def oracle(model, x, y, given, vector):
    exact = model.double()
    parameters = [p for _, p in exact.named_parameters()]
    x64 = x if x.dtype == torch.int64 else x.double()
    y64 = y if y.dtype == torch.int64 else y.double()
    v = [part.double() for part in vector]
    with plain_attention():
        loss = loss_of(exact(x64), y64, given["y"][0])
        if given.get("by_differences"):
            def here():
                return torch.autograd.grad(loss_of(exact(x64), y64, given["y"][0]), parameters)

            return loss, flat(here()), by_differences(exact, parameters, v, here)
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
        along = sum((g * part).sum() for g, part in zip(gradient, v))
        product = torch.autograd.grad(along, parameters)
    return loss, flat(gradient), flat(product)


def build(given):
    model = given["make"]()
    model.train(given["train"])
    with torch.no_grad():
        for i, (name, parameter) in enumerate(model.named_parameters()):
            parameter.copy_(parameter_values(i, name, parameter.shape))
        for i, (name, buffer) in enumerate(model.named_buffers()):
            if "running" in name:
                buffer.copy_(buffer_values(i, name, buffer.shape))
    return model


def make(name, given, folder, exporters):
    x, y = examples_of(given)
    names = [n for n, _ in build(given).named_parameters()]
    named = {}
    for exporter in [e for e in given["exporters"] if e in exporters]:
        path = folder / f"{name}.{exporter}.onnx"
        try:
            model = build(given)
            export_old(model, x, given["train"], path) if exporter == "old" else export_new(model, x, path)
        except Exception as error:
            print(f"   {name} by the {exporter} exporter: {type(error).__name__}: {str(error)[:300]}")
            continue
        named[exporter] = without_parameters(path, names, tied(model))
    model = build(given)
    shapes = [list(p.shape) for p in model.parameters()]
    vector = [torch.from_numpy(numbers(3000 + i, p.numel()).astype(numpy.float32)).reshape(p.shape) for i, p in enumerate(model.parameters())]
    loss, gradient, product = oracle(model, x, y, given, vector)
    found = dict(
        files=[dict(exporter=e, parameters=n) for e, n in named.items()],
        train=given["train"],
        examples=given["examples"],
        x=list(x.shape), tokens=given["x"][1] if given["x"][0] == "tokens" else 0,
        y=list(y.shape), target=given["y"][0], classes=given["y"][1],
        parameters=[dict(name=n, shape=list(s)) for n, s in zip(names, shapes)],
        loss=loss.item(), gradient=sample(gradient), product=sample(product),
    )
    (folder / f"{name}.json").write_text(json.dumps(found) + "\n")
    print(name, sum(map(numpy.prod, shapes)), "parameters, loss", loss.item(), {e: (folder / f"{name}.{e}.onnx").stat().st_size for e in named})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument("--exporter", action="append", choices=["old", "new"])
    parser.add_argument("names", nargs="*")
    wanted = parser.parse_args()
    for wanted_name in wanted.names or CASES:
        make(wanted_name, CASES[wanted_name], wanted.into, wanted.exporter or ["old", "new"])
