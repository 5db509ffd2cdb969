"""The loss of each example, out of a function that gives the mean of a batch.

The function runs as it is; what averages inside it (`mean()`, the losses of `torch.nn.functional`) gives the numbers of single
examples instead. Whether that is right is not taken on trust: their mean must be what the function itself gives.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Tuple

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..conventions import OwnLoss, Unsupported

#: Relative, of losses in single precision.
TOLERANCE = 1e-4
CHECKED_EXAMPLES = 128
_ELEMENTWISE = frozenset({
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div",
    "margin_ranking_loss", "mse_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "cosine_embedding_loss", "triplet_margin_loss"})


def of_examples(loss: OwnLoss, compute: Callable[[], Any], count: Any) -> Tuple[Any, Any]:
    """What `compute` gives, for each of its `count` examples, and what they weigh (None: alike)."""
    mode = _OfExamples(count)
    with mode:
        value = compute()
    if not torch.is_tensor(value):
        raise Unsupported(f"{loss.name} gives a {type(value).__name__} and not a tensor")
    if mode.weights is None or not loss.weighted:
        return _each(value, count), None
    if value is not mode.weighted:
        raise Unsupported(f"{loss.name} adds something to a weighted mean, which no mean over examples is")
    return mode.sums, mode.weights


class _OfExamples(TorchFunctionMode):  # type: ignore[misc]
    def __init__(self, count: Any) -> None:
        super().__init__()
        self._count = count
        self.weighted: Any = None
        self.sums: Any = None
        self.weights: Any = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("cross_entropy", "nll_loss") and kwargs.get("reduction", "mean") == "mean" and len(args) < 7:
            return self._cross_entropy(name, *args, **kwargs)
        if name == "l1_loss" and kwargs.get("reduction", "mean") == "mean":
            # Not every exporter knows it.
            return _each((args[0] - args[1]).abs(), self._count)
        if name in _ELEMENTWISE and kwargs.get("reduction", "mean") == "mean":
            return _each(func(*args, **{**kwargs, "reduction": "none"}), self._count)
        if name == "mean" and len(args) == 1 and not kwargs.get("dim") and torch.is_tensor(args[0]) and args[0].dim() > 0:
            return _each(args[0], self._count)
        return func(*args, **kwargs)

    def _cross_entropy(self, name: str, input: Any, target: Any, weight: Any = None, size_average: Any = None,
                       ignore_index: int = -100, reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0) -> Any:
        scores = functional.log_softmax(input, 1) if name == "cross_entropy" else input
        of_class = torch.ones_like(scores[:1]).flatten(0)[: scores.shape[1]] if weight is None else weight.to(scores.dtype)
        shape = [1, -1] + [1] * (scores.dim() - 2)
        if target.is_floating_point():
            share = target * (1 - label_smoothing) + label_smoothing / scores.shape[1]
            losses = scores * share if weight is None else scores * share * of_class.reshape(shape)
            return _each(-losses.sum(1), self._count)
        ignored = target == ignore_index
        known = torch.where(ignored, torch.zeros_like(target), target)
        weights = torch.ones_like(known, dtype=scores.dtype) if weight is None else of_class[known]
        losses = -scores.gather(1, known.unsqueeze(1)).squeeze(1) * weights * (1 - label_smoothing)
        if label_smoothing > 0:
            even = scores if weight is None else scores * of_class.reshape(shape)
            losses = losses - even.sum(1) * (label_smoothing / scores.shape[1])
        counted = (target != ignore_index).to(scores.dtype)
        sums, sizes = _rows(losses * counted, self._count).sum(1), _rows(weights * counted, self._count).sum(1)
        self.sums, self.weights = sums, sizes
        self.weighted = sums / sizes
        return self.weighted


def _rows(value: Any, count: Any) -> Any:
    """Examples first; where tokens were put in one row with them, they come apart again."""
    if type(count) is int and value.numel() % count > 0:
        raise Unsupported(f"the loss averages {value.numel()} numbers of {count} examples, so it is no mean of losses of single examples")
    return value.reshape(count, -1)


def _each(value: Any, count: Any) -> Any:
    return _rows(value, count).mean(1)


#: The mean of a batch as the job computes it, and the parts of the same batch; each of so many examples.
Plain = Callable[[int], Any]
Parts = Callable[[OwnLoss, int], Tuple[Any, Any]]


def settled_own(loss: OwnLoss, plain: Plain, parts: Parts, examples: int, alone: bool) -> OwnLoss:
    """Whether examples weigh the same, found by comparing with the function itself on a few examples and on half of them.

    `alone`: the loss of an example must not depend on the others; of networks that normalise over a batch it does.
    """
    reason: Optional[str] = None
    many = min(examples, CHECKED_EXAMPLES)
    sizes = (many, (many + 1) // 2)
    for weighted in (True, False):
        candidate = OwnLoss(loss.function, weighted)
        try:
            with torch.no_grad():
                (whole, weights), (half, half_weights) = (parts(candidate, size) for size in sizes)
                differences = [_difference(plain(sizes[0]), whole, weights), _difference(plain(sizes[1]), half, half_weights)]
                if alone:
                    differences.append(float((whole[: sizes[1]] - half).abs().max() / whole.abs().max().clamp(min=1e-6)))
        except Unsupported as error:
            reason = str(error)
            continue
        except Exception as error:
            reason = f"{loss.name} fails on the probe set: {type(error).__name__}: {error}"
            continue
        if max(differences) <= TOLERANCE:
            return OwnLoss(loss.function, weights is not None)
    raise Unsupported(reason or f"{loss.name} is no mean of losses of single examples, so it cannot be measured on a probe set")


def _difference(mean: Any, losses: Any, weights: Any) -> float:
    ours = losses.mean() if weights is None else losses.sum() / weights.sum()
    theirs = float(mean)
    return abs(float(ours) - theirs) / max(abs(theirs), 1e-6)
