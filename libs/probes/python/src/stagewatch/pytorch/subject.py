"""A network as data: exported to ONNX, with the framework's own loss and gradient norm beside it.

All of it works on a copy of the model, so modes, gradients, running statistics and hooks of the one that is trained
stay as they are, and so does the state of the random generators.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
import time
import warnings
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch

from ..conventions import CrossEntropy, Loss
from ..identity import Subject
from ..probe_set import ProbeSet
from .export import export_onnx, shared_names
from .loss import loss_sum, prediction, settled

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
        twin = as_trained(model)
        loss = _settle(twin, loss, train, val)
        named = [(name, p) for name, p in twin.named_parameters() if p.requires_grad]
        reference_loss, gradient = reference(twin, loss, train)
        squares = sum(float((g.double() ** 2).sum().item()) for g in gradient if g is not None)
        graph = export_onnx(twin, example_of(twin, train.x))
    subject = Subject(
        graph=graph,
        graph_digest=hashlib.sha256(graph).hexdigest(),
        parameters=[name for name, _ in named],
        train=train,
        val=val,
        loss=loss,
        aliases=shared_names(twin),
        unused={name: tuple(p.shape) for (name, p), g in zip(named, gradient) if g is None},
        reference_loss=reference_loss,
        reference_gradient_norm=math.sqrt(squares),
        reference_step=step,
    )
    return subject, time.perf_counter() - began


def as_trained(model: Any) -> Any:
    """A copy as it is measured: batch normalisation as in training, and nothing random (dropout, stochastic depth)."""
    twin = copy.deepcopy(model)
    normalised = {
        module for module in twin.modules()
        # Attached before `model.train()`: it is the training mode that is measured.
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and (module.training or not twin.training)
    }
    twin.eval()
    for module in twin.modules():
        module._forward_hooks.clear()
        # Some networks of timm keep biases of attention in evaluation mode, and their gradient is lost with them.
        if module in normalised or hasattr(module, "attention_bias_cache"):
            module.training = True
    for parameter in twin.parameters():
        parameter.grad = None
    configuration = getattr(twin, "config", None)
    if getattr(configuration, "use_cache", False):
        # What a language model keeps for generating is no part of its loss.
        configuration.use_cache = False
    return twin


def _settle(twin: Any, loss: Loss, train: ProbeSet, val: Optional[ProbeSet]) -> Loss:
    """What shapes and values of the targets say about the loss."""
    if not isinstance(loss, CrossEntropy):
        return loss
    if not loss.probabilities:
        ignored = -100 if loss.ignore_index is None else loss.ignore_index
        there = any(bool((s.y == ignored).any()) for s in (train, val) if s is not None)
        loss = dataclasses.replace(loss, ignore_index=ignored if there else None)
    with torch.no_grad():
        output = prediction(twin_on(twin, train.x[:2]))
    return settled(loss, tuple(output.shape[1:]), tuple(train.y.shape[1:]))


def twin_on(twin: Any, x: Any) -> Any:
    """Statistics of batch normalisation move, and are put back."""
    state = {name: value.clone() for name, value in twin.named_buffers()}
    try:
        return twin(batch_of(twin, x))
    finally:
        with torch.no_grad():
            for name, value in twin.named_buffers():
                value.copy_(state[name])


def batch_of(twin: Any, array: Any) -> Any:
    first = next(twin.parameters())
    tensor = torch.from_numpy(np.ascontiguousarray(array)).to(first.device)
    return tensor.to(first.dtype) if tensor.is_floating_point() else tensor


def example_of(twin: Any, x: Any) -> Any:
    """Two examples: with one, some networks export a shape that only fits one."""
    return batch_of(twin, x[:2] if len(x) > 1 else x.repeat(2, axis=0))


def reference(twin: Any, loss: Loss, probe_set: ProbeSet) -> Tuple[float, List[Any]]:
    """Loss and gradient on the probe set as PyTorch computes them, in chunks of examples; None for what is not used."""
    parameters = [p for p in twin.parameters() if p.requires_grad]
    count = len(probe_set.x)
    # Batch normalisation in training mode sees its batch: there it is all or nothing.
    whole = any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) and m.training for m in twin.modules())
    chunk = count if whole else REFERENCE_CHUNK
    total, weight = 0.0, 0.0
    gradient: Dict[int, Any] = {}
    with torch.enable_grad():
        for begin in range(0, count, chunk):
            output = prediction(twin(batch_of(twin, probe_set.x[begin : begin + chunk])))
            target = torch.from_numpy(probe_set.y[begin : begin + chunk]).to(output.device)
            part, part_weight = loss_sum(output, target, loss)
            total += float(part.item())
            weight += part_weight
            for i, part_gradient in enumerate(torch.autograd.grad(part, parameters, allow_unused=True)):
                if part_gradient is not None:
                    gradient[i] = part_gradient if i not in gradient else gradient[i] + part_gradient
    return total / weight, [gradient[i] / weight if i in gradient else None for i in range(len(parameters))]
