"""A network as data: exported to ONNX, with the framework's own loss and gradient norm beside it.

All of it works on a copy of the model, so modes, gradients, running statistics and hooks of the one that is trained
stay as they are, and so does the state of the random generators.
"""

from __future__ import annotations

import copy
import hashlib
import io
import math
import time
import warnings
from typing import Any, List, Optional, Tuple

import torch

from ..conventions import CrossEntropy, Loss, Unsupported
from ..identity import Subject
from ..probe_set import ProbeSet

REFERENCE_CHUNK = 1024


def unwrap(model: Any) -> Any:
    """The module inside DataParallel, DistributedDataParallel and torch.compile."""
    for _ in range(4):
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in ("DataParallel", "DistributedDataParallel"):
            inner = model.module
        if inner is None:
            return model
        model = inner
    return model


def make_subject(model: Any, loss: Loss, train: ProbeSet, val: Optional[ProbeSet], step: int) -> Tuple[Subject, float]:
    """The description of what is trained, and the seconds that it took."""
    began = time.perf_counter()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = _twin(model)
        names = [name for name, p in twin.named_parameters() if p.requires_grad]
        reference_loss, reference_norm = reference(twin, loss, train)
        graph = export_onnx(twin, train)
    subject = Subject(
        graph=graph,
        graph_digest=hashlib.sha256(graph).hexdigest(),
        parameters=names,
        train=train,
        val=val,
        reference_loss=reference_loss,
        reference_gradient_norm=reference_norm,
        reference_step=step,
    )
    return subject, time.perf_counter() - began


def _twin(model: Any) -> Any:
    twin = copy.deepcopy(model)
    if not twin.training:
        # Attached before `model.train()`: it is the training mode that is measured.
        twin.train()
    for module in twin.modules():
        module._forward_hooks.clear()
        if "dropout" in type(module).__name__.lower():
            module.eval()
    for parameter in twin.parameters():
        parameter.grad = None
    return twin


def _batch(array: Any, twin: Any) -> Any:
    first = next(twin.parameters())
    tensor = torch.from_numpy(array).to(first.device)
    return tensor.to(first.dtype) if tensor.is_floating_point() else tensor


def reference(twin: Any, loss: Loss, probe_set: ProbeSet) -> Tuple[float, float]:
    """Loss and gradient norm on the probe set as PyTorch computes them, in chunks of examples."""
    parameters = [p for p in twin.parameters() if p.requires_grad]
    count = len(probe_set.x)
    # Batch normalisation in training mode sees its batch: there it is all or nothing.
    whole = any("batchnorm" in type(m).__name__.lower() for m in twin.modules())
    chunk = count if whole else REFERENCE_CHUNK
    total = 0.0
    gradient: List[Any] = [torch.zeros_like(p) for p in parameters]
    with torch.enable_grad():
        for begin in range(0, count, chunk):
            output = twin(_batch(probe_set.x[begin : begin + chunk], twin))
            target = torch.from_numpy(probe_set.y[begin : begin + chunk]).to(output.device)
            part = _sum_loss(output, target, loss) / count
            total += float(part.item())
            parts = torch.autograd.grad(part, parameters, allow_unused=True)
            gradient = [g if d is None else g + d for g, d in zip(gradient, parts)]
    squares = sum(float((g.double() ** 2).sum().item()) for g in gradient)
    return total, math.sqrt(squares)


def _sum_loss(output: Any, target: Any, loss: Loss) -> Any:
    """Sum over the examples of a chunk."""
    if isinstance(loss, CrossEntropy):
        return torch.nn.functional.cross_entropy(output, target, reduction="sum")
    output = output.reshape(len(output), -1)
    if output.shape != target.shape:
        raise Unsupported(f"the model gives {list(output.shape)} and the targets are {list(target.shape)}")
    each = (output - target.to(output.dtype)) ** 2
    each = each.mean(dim=1) if loss.reduction == "mean" else each.sum(dim=1)
    return each.sum() * (0.5 if loss.halved else 1.0)


def export_onnx(twin: Any, probe_set: ProbeSet) -> bytes:
    """ONNX with parameters under their own names and a free batch axis.

    Neither exporter may fold weights away, and the modes of the copy are kept as they are (batch normalisation in
    training mode, dropout off). Weights stay out of the file where nothing else needs values, so that a network
    exported twice is one artifact.
    """
    # Two examples: with one, some networks export a shape that only fits one.
    example = _batch(probe_set.x[:2] if len(probe_set.x) > 1 else probe_set.x.repeat(2, axis=0), twin)
    try:
        return _export_by_tracing(twin, example)
    except Exception as first:
        if not hasattr(torch.onnx, "ONNXProgram"):
            raise Unsupported(f"torch.onnx cannot export this model: {type(first).__name__}: {_first_line(first)}") from first
        try:
            return _export_by_dynamo(twin, example)
        except Exception as second:
            raise Unsupported(
                f"torch.onnx cannot export this model ({type(first).__name__}: {_first_line(first)}; "
                f"{type(second).__name__}: {_first_line(second)}); the newer exporters need `pip install onnx onnxscript`"
            ) from second


def _export_by_tracing(twin: Any, example: Any) -> bytes:
    constants = any(True for _ in twin.buffers()) or any(not p.requires_grad for p in twin.parameters())
    arguments: dict[str, Any] = {
        "do_constant_folding": False,
        "training": torch.onnx.TrainingMode.PRESERVE,
        "input_names": [_data_name(twin)],
        "output_names": ["output"],
        "dynamic_axes": {_data_name(twin): {0: "batch"}, "output": {0: "batch"}},
        "export_params": constants,
        "keep_initializers_as_inputs": True if constants else None,
    }
    if hasattr(torch.onnx, "ONNXProgram"):
        arguments["dynamo"] = False
    out = io.BytesIO()
    torch.onnx.export(twin, (example,), out, **arguments)
    return out.getvalue()


def _export_by_dynamo(twin: Any, example: Any) -> bytes:
    program = torch.onnx.export(
        twin, (example,), dynamo=True, optimize=False, input_names=[_data_name(twin)], output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    return bytes(program.model_proto.SerializeToString())


def _data_name(twin: Any) -> str:
    names = {name for name, _ in twin.named_parameters()}
    name = "x"
    while name in names:
        name += "_"
    return name


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else ""
