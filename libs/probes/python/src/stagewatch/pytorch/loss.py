"""The loss as PyTorch computes it, in the form of the wire: sums over a chunk's examples, and what they weigh."""

from __future__ import annotations

import dataclasses
from typing import Any, Tuple

import torch
from torch.nn import functional

from ..conventions import MSE, BinaryCrossEntropy, CrossEntropy, Loss, Unsupported


def prediction(output: Any) -> Any:
    """The tensor that the loss is taken of: the output, its `logits`, or the first of several."""
    for _ in range(4):
        if torch.is_tensor(output):
            return output
        if isinstance(output, dict) or hasattr(output, "logits"):
            logits = output.get("logits") if isinstance(output, dict) else output.logits
            output = logits if torch.is_tensor(logits) else next(iter(output.values()))
        elif isinstance(output, (tuple, list)) and len(output) > 0:
            output = output[0]
        else:
            break
    raise Unsupported(f"the model gives a {type(output).__name__}, and a loss is taken of a tensor")


def settled(loss: CrossEntropy, output: Tuple[int, ...], targets: Tuple[int, ...]) -> CrossEntropy:
    """Says where the classes stand; shapes without the examples. Where both places fit it is PyTorch's own: the second axis."""
    rest = targets[:-1] if loss.probabilities else targets
    classes = targets[-1:] if loss.probabilities else None
    last = len(output) > 0 and output[:-1] == rest and classes in (None, output[-1:])
    second = len(output) > 1 and output[1:] == rest and classes in (None, output[:1])
    given = second if loss.classes_second is None else loss.classes_second and len(output) > 1
    if not (second if given else last):
        raise Unsupported(f"the model gives {list(output)} for each example, which does not fit targets of {list(targets)}")
    return dataclasses.replace(loss, classes_second=given)


def loss_sum(output: Any, target: Any, loss: Loss) -> Tuple[Any, float]:
    """Sum of the losses of these examples, and the sum of their weights."""
    if isinstance(loss, CrossEntropy):
        return _cross_entropy(output, target, loss)
    output = output.reshape(len(output), -1)
    target = target.reshape(len(target), -1).to(output.dtype)
    if output.shape != target.shape:
        raise Unsupported(f"the model gives {list(output.shape)} and the targets are {list(target.shape)}")
    if isinstance(loss, MSE):
        each = (output - target) ** 2 * (0.5 if loss.halved else 1.0)
    elif isinstance(loss, BinaryCrossEntropy):
        each = functional.binary_cross_entropy_with_logits(output, target, reduction="none")
    else:
        each = functional.huber_loss(output, target, reduction="none", delta=loss.delta)
        each = each / loss.delta if loss.smooth_l1 else each
    return (each.mean(dim=1) if loss.reduction == "mean" else each.sum(dim=1)).sum(), float(len(output))


def _cross_entropy(output: Any, target: Any, loss: CrossEntropy) -> Tuple[Any, float]:
    if output.dim() > 2 and not loss.classes_second:
        output = output.movedim(-1, 1)
    if loss.probabilities:
        target = target.to(output.dtype)
        # Targets travel with the classes last.
        target = target.movedim(-1, 1) if target.dim() > 2 else target
        counted = torch.ones_like(target[:, 0], dtype=torch.bool)
        each = functional.cross_entropy(output, target, reduction="none", label_smoothing=loss.label_smoothing)
    else:
        ignored = -100 if loss.ignore_index is None else loss.ignore_index
        counted = target != ignored
        each = functional.cross_entropy(
            output, target, reduction="none", label_smoothing=loss.label_smoothing, ignore_index=ignored)
    each, counted = each.reshape(len(each), -1), counted.reshape(len(each), -1)
    if loss.tokens == "sum":
        return each.sum(), float(len(each))
    if loss.tokens == "example-mean":
        return (each.sum(dim=1) / counted.sum(dim=1)).sum(), float(len(each))
    if loss.ignore_index is None:
        return each.mean(dim=1).sum(), float(len(each))
    return each.sum(), float(counted.sum().item())
