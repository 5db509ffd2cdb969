"""ONNX with parameters under their own names and a free batch axis.

No exporter may fold weights away, and the modes of the model are kept as they are: batch normalisation in training mode,
dropout off. The older exporter (tracing) comes first: it keeps both. Where it cannot export a model, the newer one can.
"""

from __future__ import annotations

import contextlib
import functools
import io
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Sequence, Tuple

import torch

from ..conventions import Unsupported
from .loss import prediction


@dataclass(frozen=True)
class Call:
    """How the network is called for its graph: what comes in, in this order, and what comes out."""

    inputs: Mapping[str, Any]
    #: Of `inputs` in their order.
    compute: Callable[..., Any]
    outputs: Sequence[str] = ("output",)

    @staticmethod
    def plain(model: Any, example: Any) -> "Call":
        forward = model.forward
        return Call({data_name(model): example}, lambda x: prediction(forward(x)))


def export_onnx(model: Any, call: Call) -> bytes:
    """Exports a model that may be changed, with an example of at least two examples. Values of what is trained are not kept."""
    fix_padding(model)
    make_distinct(model)
    try:
        return export_by_tracing(model, call)
    except Exception as first:
        if not hasattr(torch.onnx, "ONNXProgram"):
            raise Unsupported(f"torch.onnx cannot export this model: {_said(first)}") from first
        try:
            return export_by_dynamo(model, call)
        except Exception as second:
            raise Unsupported(
                f"torch.onnx cannot export this model ({_said(first)}; {_said(second)}); "
                "the newer exporter needs `pip install onnx onnxscript`"
            ) from second


def export_by_tracing(model: Any, call: Call) -> bytes:
    """Weights stay out of the file where nothing else needs values, so that a network exported twice is one artifact."""
    constants = any(True for _ in model.buffers()) or any(not p.requires_grad for p in model.parameters())
    arguments: Dict[str, Any] = {
        "do_constant_folding": False,
        "training": torch.onnx.TrainingMode.PRESERVE,
        "input_names": list(call.inputs),
        "output_names": list(call.outputs),
        "dynamic_axes": {name: {0: "batch"} for name in (*call.inputs, *call.outputs)},
        "export_params": constants,
        "keep_initializers_as_inputs": True if constants else None,
    }
    if hasattr(torch.onnx, "ONNXProgram"):
        arguments["dynamo"] = False
    out = io.BytesIO()
    with _called(model, call), _no_graphs_on_screen():
        torch.onnx.export(model, tuple(call.inputs.values()), out, **arguments)
    return out.getvalue()


def export_by_dynamo(model: Any, call: Call) -> bytes:
    """Batch normalisation in training mode is written out: this exporter would write it as inference, without a word."""
    batch = torch.export.Dim("batch")
    with _called(model, call), _batch_statistics(model):
        program = torch.onnx.export(
            model, tuple(call.inputs.values()), dynamo=True, optimize=False, verbose=False, input_names=list(call.inputs),
            output_names=list(call.outputs), dynamic_shapes=(tuple({0: batch} for _ in call.inputs),),
        )
    return bytes(program.model_proto.SerializeToString())


def data_name(model: Any) -> str:
    return free_name("x", {name for name, _ in model.named_parameters()})


def free_name(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "_"
    return name


def fix_padding(model: Any) -> None:
    """The row of an embedding that stands for padding gets no gradient in PyTorch, so it is a constant, and is exported as one.

    Where the embedding is shared with another layer, its row moves, and the embedding stays as it is.
    """
    uses: Dict[int, int] = {}
    for _, module in _all_modules(model):
        for parameter in module._parameters.values():
            uses[id(parameter)] = uses.get(id(parameter), 0) + 1
    for module in list(model.modules()):
        padding = getattr(module, "padding_idx", None)
        if type(module) is not torch.nn.Embedding or padding is None or uses[id(module.weight)] > 1:
            continue
        module.register_buffer("padding_row", module.weight.detach()[padding].clone(), persistent=False)
        module.forward = functools.partial(_padded_embedding, module, padding)


def make_distinct(model: Any) -> None:
    """Gives everything that is trained other numbers: the older exporter makes one weight of those that are equal, as fresh ones are.

    The numbers are the same in every run, so that a network exported twice is one artifact; snapshots carry the true ones.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    taken = {_beginning(t) for t in (*model.buffers(), *(p for p in model.parameters() if not p.requires_grad))}
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trained:
            while True:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
                if parameter.numel() == 0 or _beginning(parameter) not in taken:
                    break
            taken.add(_beginning(parameter))


def _beginning(tensor: Any) -> Tuple[Any, ...]:
    return (tuple(tensor.shape), *tensor.detach().reshape(-1)[:8].tolist())


def _padded_embedding(module: Any, padding: int, ids: Any) -> Any:
    rows = torch.nn.functional.embedding(ids, module.weight)
    return torch.where((ids == padding).unsqueeze(-1), module.padding_row, rows)


@contextlib.contextmanager
def _called(model: Any, call: Call) -> Iterator[None]:
    """The model with these inputs and outputs, and no others."""
    given = model.__dict__.get("forward")
    model.forward = lambda *tensors: call.compute(*tensors)
    try:
        yield
    finally:
        del model.forward
        if given is not None:
            model.forward = given


@contextlib.contextmanager
def _no_graphs_on_screen() -> Iterator[None]:
    """This exporter switches its log on, whatever it is told, and then writes whole graphs to the standard output when it fails."""
    switch = getattr(torch._C, "_jit_set_onnx_log_enabled", None)
    if switch is None:
        yield
        return
    torch._C._jit_set_onnx_log_enabled = lambda enabled: None
    try:
        yield
    finally:
        torch._C._jit_set_onnx_log_enabled = switch


@contextlib.contextmanager
def _batch_statistics(model: Any) -> Iterator[None]:
    """`batch_norm` in training mode as plain arithmetic that updates nothing."""
    functional = torch.nn.functional
    original = functional.batch_norm

    def explicit(x: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
                 momentum: float = 0.1, eps: float = 1e-5) -> Any:
        if not training:
            return original(x, running_mean, running_var, weight, bias, training, momentum, eps)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        centred = x - x.mean(axes, keepdim=True)
        normal = centred / torch.sqrt((centred * centred).mean(axes, keepdim=True) + eps)
        shape = (1, -1) + (1,) * (x.dim() - 2)
        normal = normal if weight is None else normal * weight.reshape(shape)
        return normal if bias is None else normal + bias.reshape(shape)

    for module in model.modules():
        if getattr(module, "num_batches_tracked", None) is not None and module.training:
            module.num_batches_tracked = None
    functional.batch_norm = explicit
    try:
        yield
    finally:
        functional.batch_norm = original


def shared_names(model: Any) -> Dict[str, str]:
    """For each further name of a parameter that is shared, its first one."""
    first: Dict[int, str] = {id(p): name for name, p in model.named_parameters()}
    aliases: Dict[str, str] = {}
    for prefix, module in _all_modules(model):
        for key, parameter in module._parameters.items():
            name = f"{prefix}.{key}" if prefix else key
            if parameter is not None and first.get(id(parameter), name) != name:
                aliases[name] = first[id(parameter)]
    return aliases


def _all_modules(model: Any) -> Iterator[Tuple[str, Any]]:
    """Modules under all of their names; `named_modules` gives each once in old versions."""
    stack = [("", model)]
    seen = set()
    while stack:
        prefix, module = stack.pop()
        if (prefix, id(module)) in seen:
            continue
        seen.add((prefix, id(module)))
        yield prefix, module
        for key, child in module._modules.items():
            if child is not None:
                stack.append((f"{prefix}.{key}" if prefix else key, child))


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}"
