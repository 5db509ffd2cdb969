"""What the probe sees of training beside its updates: backward passes, how many examples are stepped, and clipping.

Nothing here holds the run: the hooks live with the model, and the run with its optimizer.
"""

from __future__ import annotations

import math
import weakref
from typing import Any, Callable, List, Optional

import torch

from ..clock import StepClock

#: Looks at the norm of the gradient, one after the other, that must agree.
LOOKS = 3
#: Relative. Clipping leaves c·n/(n + 1e-6) of the norm n, and single precision some 1e-6 of that.
CLIP_TOLERANCE = 1e-4
#: Relative: people clip at 1 or 0.5, and gradients that hardly change any more have some other norm.
ROUND_TOLERANCE = 2e-5


class Watching:
    """Hooks of the model that is trained."""

    def __init__(self, model: Any, trained: List[Any], clock: StepClock) -> None:
        self._trained = [weakref.ref(p) for p in trained]
        self._examples = _Examples()
        self._unmatched = 0
        self._norms: List[float] = []
        self._remove: List[Callable[[], None]] = [self._examples.watch(model)]
        handle = count_backwards(trained, clock)
        if handle is not None:
            self._remove.append(handle)

    def examples_of_update(self, unmatched: int, closure: bool) -> Optional[int]:
        """Examples that went through the model since the update before; None when some of them belong to none."""
        counted = self._examples.take(closure)
        skipped, self._unmatched = unmatched != self._unmatched, unmatched
        return None if skipped else counted

    def clipping(self) -> Optional[float]:
        """The norm that the gradient was clipped to, 0 where it was not; None while that is not known."""
        gradients = [p.grad.detach() for p in (reference() for reference in self._trained) if p is not None and p.grad is not None]
        if not gradients or any(g.is_sparse for g in gradients):
            return None
        norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g.float()) for g in gradients])))
        self._norms = [*self._norms, norm][-LOOKS:]
        return clip_norm(self._norms)

    def remove(self) -> None:
        for remove in self._remove:
            remove()


def clip_norm(norms: List[float]) -> Optional[float]:
    """Of the newest looks: their constant where they have one that somebody would write, else 0."""
    if len(norms) < LOOKS:
        return None
    newest = norms[-1]
    if not (math.isfinite(newest) and newest > 0) or any(not abs(n - newest) <= CLIP_TOLERANCE * newest for n in norms):
        return 0.0
    written = float(f"{newest:.2e}")
    return written if abs(newest - written) <= ROUND_TOLERANCE * written else 0.0


def count_backwards(trained: List[Any], clock: StepClock) -> Optional[Callable[[], None]]:
    """Calls the clock right before the gradient of one parameter is accumulated."""
    if not trained:
        return None
    watched = min(trained, key=lambda p: p.numel())
    reference = weakref.ref(watched)

    def was_zeroed() -> bool:
        parameter = reference()
        gradient = None if parameter is None else parameter.grad
        # Of a gradient on a device nothing is read: training would wait for it.
        return gradient is None or (gradient.device.type == "cpu" and not bool(gradient.any()))

    def hook(_gradient: Any) -> None:
        try:
            clock.backward(was_zeroed)
        except Exception:  # training goes on; the order of calls still tells the step
            pass

    try:
        handle = watched.register_hook(hook)
    except RuntimeError:
        return None
    clock.count_backwards()
    return lambda: handle.remove()


class _Examples:
    """Counts the examples that go through the model while it trains."""

    def __init__(self) -> None:
        self._since_update = 0
        self._newest = 0

    def watch(self, model: Any) -> Callable[[], None]:
        def hook(module: Any, arguments: Any, keywords: Any = None) -> None:
            if module.training and torch.is_grad_enabled():
                self._count([*arguments, *(keywords or {}).values()])

        # A copy of the model that is measured does not count.
        hook.of_stagewatch = True  # type: ignore[attr-defined]
        try:
            handle = model.register_forward_pre_hook(hook, with_kwargs=True)
        except TypeError:  # PyTorch 1 shows no keywords
            handle = model.register_forward_pre_hook(hook)
        return lambda: handle.remove()

    def _count(self, arguments: List[Any]) -> None:
        for argument in arguments:
            if torch.is_tensor(argument) and argument.dim() > 0:
                self._newest = int(argument.shape[0])
                self._since_update += self._newest
                return

    def take(self, closure: bool) -> int:
        """With a closure the passes of one update are of the same examples, and come after it began."""
        count = self._newest if closure else self._since_update
        self._since_update = 0
        return count
