"""Calls back at the very beginning of `optimizer.step()`, while θ_t and the learning rate of its update are in place."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Callable


def unwrap_optimizer(optimizer: Any) -> Any:
    """The optimizer inside those of Accelerate and others that hold one as `optimizer`: it has the hooks, and it steps."""
    for _ in range(4):
        inner = getattr(optimizer, "optimizer", None)
        if inner is None or not hasattr(inner, "param_groups"):
            return optimizer
        optimizer = inner
    return optimizer


def before_update(optimizer: Any, callback: Callable[[bool], None]) -> Callable[[], None]:
    """Installs the hook and returns what removes it. The callback is told whether a closure computes the gradient.

    The optimizer holds the callback, not the other way round.
    """
    def pre_hook(_optimizer: Any, args: Any, kwargs: Any) -> None:
        callback(_has_closure(args, kwargs))

    try:
        handle = optimizer.register_step_pre_hook(pre_hook)
    except (AttributeError, NotImplementedError, TypeError):
        # PyTorch before 2.0, and optimizers that are none of PyTorch's.
        return _wrap_step(optimizer, callback)
    return lambda: handle.remove()


def _has_closure(args: Any, kwargs: Any) -> bool:
    return any(callable(value) for value in (*args, *kwargs.values()))


class _BoundStep:
    """A bound method that holds its optimizer weakly, as learning-rate schedulers of PyTorch 1 do.

    They take `__func__` and `__self__` of `optimizer.step` apart to count its calls, so both are here.
    """

    def __init__(self, optimizer: Any, function: Callable[..., Any]) -> None:
        self._optimizer = weakref.ref(optimizer)
        self.__func__ = function

    @property
    def __self__(self) -> Any:
        return self._optimizer()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self._optimizer(), *args, **kwargs)


def _wrap_step(optimizer: Any, callback: Callable[[bool], None]) -> Callable[[], None]:
    active = [True]
    given = optimizer.__dict__.get("step")
    if given is None:
        original = type(optimizer).step

        @functools.wraps(original)
        def with_self(self: Any, *args: Any, **kwargs: Any) -> Any:
            if active[0]:
                callback(_has_closure(args, kwargs))
            return original(self, *args, **kwargs)

        mine: Any = _BoundStep(optimizer, with_self)
    else:
        # A scheduler came first: its wrapper is a plain function that carries a mark, and so does ours.
        @functools.wraps(given)
        def without_self(*args: Any, **kwargs: Any) -> Any:
            if active[0]:
                callback(_has_closure(args, kwargs))
            return given(*args, **kwargs)

        mine = without_self
    optimizer.step = mine
    reference = weakref.ref(optimizer)

    def remove() -> None:
        active[0] = False
        living = reference()
        if living is not None and living.__dict__.get("step") is mine:
            if given is None:
                del living.step
            else:
                living.step = given

    return remove
