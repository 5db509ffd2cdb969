"""How a network is called with the examples of a probe set: its output, its loss and the gradient of that, as PyTorch has them."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import torch

from ..conventions import Loss, OwnLoss
from ..probe_set import ProbeSet
from .export import Call, free_name
from .loss import loss_sum, prediction
from .own_loss import of_examples

REFERENCE_CHUNK = 1024


def mixes(twin: Any) -> bool:
    """Batch normalisation in training mode sees its batch."""
    return any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) and m.training for m in twin.modules())


@contextlib.contextmanager
def kept_buffers(twin: Any) -> Iterator[None]:
    """Statistics of batch normalisation move, and are put back."""
    state = {name: value.clone() for name, value in twin.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in twin.named_buffers():
                value.copy_(state[name])


def called(twin: Any, probe_set: ProbeSet, begin: int, end: int, **more: Any) -> Any:
    return _call(twin, probe_set, tensors_of(twin, probe_set, begin, end), **more)


def _call(twin: Any, probe_set: ProbeSet, tensors: Sequence[Any], **more: Any) -> Any:
    named = {name: tensor.to(torch.uint8) if name in probe_set.bytes_ else tensor
             for name, tensor in zip(probe_set.inputs, tensors)}
    return twin(**named, **more) if probe_set.keywords else twin(*named.values(), **more)


def tensors_of(twin: Any, probe_set: ProbeSet, begin: int, end: int) -> List[Any]:
    return [batch_of(twin, array[begin:end]) for array in probe_set.inputs.values()]


def target_of(twin: Any, probe_set: ProbeSet, begin: int, end: int) -> Any:
    return batch_of(twin, probe_set.y[begin:end])


def batch_of(twin: Any, array: Any) -> Any:
    first = next(twin.parameters())
    tensor = torch.from_numpy(np.ascontiguousarray(array)).to(first.device)
    return tensor.to(first.dtype) if tensor.is_floating_point() else tensor


def call_of(twin: Any, loss: Loss, train: ProbeSet) -> Call:
    """Two examples: with one, some networks export a shape that only fits one."""
    repeats = (lambda array: array[:2]) if len(train.x) > 1 else (lambda array: array.repeat(2, axis=0))
    two = dataclasses.replace(train, inputs={name: repeats(a) for name, a in train.inputs.items()}, y=repeats(train.y))
    taken = {name for name, _ in twin.named_parameters()}
    inputs = {free_name("x" if len(two.inputs) == 1 else name, taken): tensor
              for name, tensor in zip(two.inputs, tensors_of(twin, two, 0, 2))}
    forward = twin.forward
    if not isinstance(loss, OwnLoss):
        return Call(inputs, lambda *tensors: prediction(_call(forward, two, tensors)))
    names = ("losses", "weights") if loss.weighted else ("losses",)

    def losses(*tensors: Any) -> Any:
        *data, target = tensors
        each, weights = _each_of(forward, loss, two, data, target)
        return (each, weights) if loss.weighted else each
    return Call({**inputs, "target": target_of(twin, two, 0, 2)}, losses, names)


def own_loss_of(twin: Any, loss: OwnLoss, probe_set: ProbeSet, begin: int, end: int) -> Any:
    """The loss of these examples as the job's own function gives it."""
    return _own_of(twin, loss, probe_set, tensors_of(twin, probe_set, begin, end), target_of(twin, probe_set, begin, end))


def _own_of(forward: Any, loss: OwnLoss, probe_set: ProbeSet, data: Sequence[Any], target: Any) -> Any:
    if loss.function is not None:
        return function_of(loss, _call(forward, probe_set, data), target)
    output = _call(forward, probe_set, data, labels=target)
    return output["loss"] if isinstance(output, dict) else output.loss


def function_of(loss: OwnLoss, output: Any, target: Any) -> Any:
    assert loss.function is not None
    return loss.function(prediction(output) if _is_pytorchs(loss.function) else output, target)


def _is_pytorchs(function: Any) -> bool:
    """Such a loss takes a tensor; a function of the job's own takes whatever its model gives."""
    return str(getattr(type(function), "__module__", "")).startswith("torch.nn.") or str(
        getattr(function, "__module__", "")) == "torch.nn.functional"


def own_losses(twin: Any, loss: OwnLoss, probe_set: ProbeSet, begin: int, end: int) -> Tuple[Any, Any]:
    return _each_of(twin, loss, probe_set, tensors_of(twin, probe_set, begin, end), target_of(twin, probe_set, begin, end))


def _each_of(forward: Any, loss: OwnLoss, probe_set: ProbeSet, data: Sequence[Any], target: Any) -> Tuple[Any, Any]:
    return of_examples(loss, lambda: _own_of(forward, loss, probe_set, data, target), target.shape[0])


def reference(twin: Any, loss: Loss, probe_set: ProbeSet) -> Tuple[float, List[Any]]:
    """Loss and gradient on the probe set as PyTorch computes them, in chunks of examples; None for what is not used."""
    parameters = [p for p in twin.parameters() if p.requires_grad]
    count = len(probe_set.x)
    chunk = count if mixes(twin) else REFERENCE_CHUNK
    total, weight = 0.0, 0.0
    gradient: Dict[int, Any] = {}
    with torch.enable_grad():
        for begin in range(0, count, chunk):
            part, part_weight = _loss_sum(twin, loss, probe_set, begin, begin + chunk)
            total += float(part.item())
            weight += part_weight
            for i, part_gradient in enumerate(torch.autograd.grad(part, parameters, allow_unused=True)):
                if part_gradient is not None:
                    gradient[i] = part_gradient if i not in gradient else gradient[i] + part_gradient
    return total / weight, [gradient[i] / weight if i in gradient else None for i in range(len(parameters))]


def _loss_sum(twin: Any, loss: Loss, probe_set: ProbeSet, begin: int, end: int) -> Tuple[Any, float]:
    if isinstance(loss, OwnLoss):
        losses, weights = own_losses(twin, loss, probe_set, begin, end)
        return losses.sum(), float(len(losses) if weights is None else weights.sum().item())
    output = prediction(called(twin, probe_set, begin, end))
    return loss_sum(output, torch.from_numpy(probe_set.y[begin:end]).to(output.device), loss)
