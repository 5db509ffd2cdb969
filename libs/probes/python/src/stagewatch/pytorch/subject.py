"""A network as data: exported to ONNX, with the framework's own loss and gradient norm beside it.

All of it works on a copy of the model, so modes, gradients, running statistics and hooks of the one that is trained
stay as they are, and so does the state of the random generators.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import inspect
import math
import time
import warnings
from typing import Any, List, Optional, Sequence, Tuple

import torch

from ..conventions import CrossEntropy, Loss, OwnLoss
from ..identity import Subject
from ..probe_set import ProbeSet
from .calling import call_of, called, function_of, kept_buffers, mixes, own_loss_of, own_losses, reference, target_of
from .export import export_onnx, shared_names
from .loss import prediction, settled
from .own_loss import CHECKED_EXAMPLES, of_examples, settled_own

KINK_EXAMPLES = 64
#: Of the parameters' length.
KINK_STEPS = (1e-3 / 16, 1e-3 / 256)
#: Of the gradient; less is rounding.
KINK_SMALLEST = 1e-3


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


def make_subject(model: Any, loss: Loss, train: ProbeSet, val: Optional[ProbeSet], step: int,
                 trained: Optional[Sequence[Any]] = None) -> Tuple[Subject, float]:
    """The description of what is trained, and the seconds that it took.

    `trained` are the parameters that the optimizer steps: others are constants of the network. None: all that want a gradient.
    """
    began = time.perf_counter()
    with torch.random.fork_rng(devices=_devices()), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")
        twin = as_trained(model, trained)
        loss = _settle(twin, loss, train, val)
        named = [(name, p) for name, p in twin.named_parameters() if p.requires_grad]
        reference_loss, gradient = reference(twin, loss, train)
        has_kink = gradient_jumps(twin, loss, train)
        noisy = is_noisy(model, twin, train)
        graph = export_onnx(twin, call_of(twin, loss, train))
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
        reference_gradient_norm=_norm(gradient),
        reference_step=step,
        has_kink=has_kink,
        noisy=noisy,
    )
    return subject, time.perf_counter() - began


def refer_again(model: Any, train: ProbeSet, subject: Subject, trained: Sequence[Any], step: int) -> Subject:
    """The same description with the loss and the gradient of now."""
    assert subject.loss is not None
    with torch.random.fork_rng(devices=_devices()), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")
        twin = as_trained(model, trained)
        reference_loss, gradient = reference(twin, subject.loss, train)
        has_kink = gradient_jumps(twin, subject.loss, train)
    return dataclasses.replace(subject, reference_loss=reference_loss, reference_gradient_norm=_norm(gradient), reference_step=step,
                               has_kink=has_kink)


def _devices() -> List[int]:
    return [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []


def _norm(gradient: Sequence[Any]) -> float:
    return math.sqrt(sum(float((g.double() ** 2).sum().item()) for g in gradient if g is not None))


def is_noisy(model: Any, twin: Any, train: ProbeSet) -> bool:
    """Does the network give something else when it is called twice in training, or for another batch?"""
    if mixes(twin):
        return True
    modes = [(module, module.training) for module in twin.modules()]
    try:
        for (module, _), own in zip(modes, model.modules()):
            module.training = own.training or not model.training
        with torch.no_grad(), kept_buffers(twin):
            one, other = (prediction(called(twin, train, 0, KINK_EXAMPLES)) for _ in range(2))
        return not torch.equal(one, other)
    finally:
        for module, training in modes:
            module.training = training


def gradient_jumps(twin: Any, loss: Loss, train: ProbeSet) -> bool:
    """Is there a kink at these parameters? The gradients on either side stay apart, however near they are taken."""
    few = dataclasses.replace(train, inputs={name: a[:KINK_EXAMPLES] for name, a in train.inputs.items()}, y=train.y[:KINK_EXAMPLES])
    parameters = [p for p in twin.parameters() if p.requires_grad]
    generator = torch.Generator().manual_seed(3)
    direction = [torch.randn(p.shape, generator=generator).to(p) for p in parameters]
    size = math.sqrt(sum(p.numel() for p in parameters))
    length = 1 + _norm([p.detach() for p in parameters])
    before = [p.detach().clone() for p in parameters]

    def at(shift: float) -> List[Any]:
        with torch.no_grad():
            for p, start, d in zip(parameters, before, direction):
                p.copy_(start + d * (shift * length / size))
        return reference(twin, loss, few)[1]

    apart = []
    try:
        for step in KINK_STEPS:
            ahead, behind = at(step), at(-step)
            apart.append(_norm([a - b for a, b in zip(ahead, behind) if a is not None and b is not None])
                         / max(_norm(ahead), _norm(behind), 1e-30))
    finally:
        with torch.no_grad():
            for p, start in zip(parameters, before):
                p.copy_(start)
    return apart[1] > KINK_SMALLEST and apart[1] > 0.5 * apart[0]


def argument_names(model: Any) -> List[str]:
    """Of what the model takes by place."""
    try:
        return [name for name, each in inspect.signature(model.forward).parameters.items()
                if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        return []


def as_trained(model: Any, trained: Optional[Sequence[Any]] = None) -> Any:
    """A copy as it is measured: batch normalisation as in training, and nothing random (dropout, stochastic depth)."""
    twin = copy.deepcopy(model)
    if trained is not None:
        stepped = {id(p) for p in trained}
        for parameter, own in zip(model.parameters(), twin.parameters()):
            own.requires_grad_(id(parameter) in stepped)
    normalised = {
        module for module in twin.modules()
        # Attached before `model.train()`: it is the training mode that is measured.
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and (module.training or not twin.training)
    }
    twin.eval()
    for module in twin.modules():
        module._forward_hooks.clear()
        for key, hook in list(module._forward_pre_hooks.items()):
            if getattr(hook, "of_stagewatch", False):
                del module._forward_pre_hooks[key]
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
    if isinstance(loss, CrossEntropy) and shifts_inside(twin, train):
        loss = OwnLoss()
    if isinstance(loss, OwnLoss):
        return _settle_own(twin, loss, train)
    if not isinstance(loss, CrossEntropy):
        return loss
    if not loss.probabilities:
        ignored = -100 if loss.ignore_index is None else loss.ignore_index
        there = any(bool((s.y == ignored).any()) for s in (train, val) if s is not None)
        loss = dataclasses.replace(loss, ignore_index=ignored if there else None)
    with torch.no_grad(), kept_buffers(twin):
        output = prediction(called(twin, train, 0, 2))
    return settled(loss, tuple(output.shape[1:]), tuple(train.y.shape[1:]))


def _settle_own(twin: Any, loss: OwnLoss, train: ProbeSet) -> OwnLoss:
    """A function is tried on what the network gives once; the loss inside a network with the network."""
    count = len(train.x)
    with kept_buffers(twin):
        if loss.function is None:
            return settled_own(loss, lambda size: own_loss_of(twin, loss, train, 0, size),
                               lambda candidate, size: own_losses(twin, candidate, train, 0, size), count, not mixes(twin))
        with torch.no_grad():
            output = called(twin, train, 0, CHECKED_EXAMPLES)
        target = target_of(twin, train, 0, CHECKED_EXAMPLES)

        def plain(size: int) -> Any:
            return function_of(loss, _first(output, size), target[:size])
        return settled_own(loss, plain, lambda candidate, size: of_examples(candidate, lambda: plain(size), size), count, True)


def _first(output: Any, size: int) -> Any:
    """The same output of fewer examples."""
    if torch.is_tensor(output):
        return output[:size] if output.dim() > 0 else output
    if isinstance(output, dict):
        few = {name: _first(value, size) for name, value in output.items()}
        return type(output)(**few) if type(output) is not dict else few
    if isinstance(output, (tuple, list)):
        return type(output)(_first(value, size) for value in output)
    return output


def shifts_inside(model: Any, train: ProbeSet) -> bool:
    """A language model that is given its own inputs as labels moves them by one place inside its loss."""
    if "labels" not in argument_names(model) or not hasattr(model, "config"):
        return False
    same = train.x.shape == train.y.shape and train.x.dtype == train.y.dtype
    return bool(same and ((train.x == train.y) | (train.y == -100)).all())
