"""How the loss is defined and which optimizer steps it: what a threshold is computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Union

from .wire import enum_value


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy of class indices, mean over examples."""


@dataclass(frozen=True)
class MSE:
    """Mean squared error: per example the `reduction` over outputs (times one half when `halved`), mean over examples.

    `MSE()` is what `torch.nn.MSELoss()` computes.
    """

    halved: bool = False
    reduction: str = "mean"

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "sum"):
            raise ValueError(f'reduction must be "mean" or "sum" (over outputs), not {self.reduction!r}')


Loss = Union[CrossEntropy, MSE]

_NAMES: Mapping[str, Loss] = {
    "cross-entropy": CrossEntropy(), "cross_entropy": CrossEntropy(), "crossentropy": CrossEntropy(), "ce": CrossEntropy(),
    "mse": MSE(), "mean-squared-error": MSE(), "mean_squared_error": MSE(),
}


class Unsupported(Exception):
    """Something that the service has no measurement for; scalars are still sent."""


def read_loss(loss: Any) -> Optional[Loss]:
    """The loss convention behind what a user gave: a name, one of ours, or a `torch.nn` module."""
    if loss is None:
        return None
    if isinstance(loss, (CrossEntropy, MSE)):
        return loss
    if isinstance(loss, str):
        if loss.lower() in _NAMES:
            return _NAMES[loss.lower()]
        raise Unsupported(f'loss={loss!r} is not known; give "cross-entropy", "mse" or stagewatch.MSE(…)')
    kind = type(loss).__name__
    if kind == "CrossEntropyLoss":
        if getattr(loss, "weight", None) is not None or getattr(loss, "label_smoothing", False) or loss.reduction != "mean":
            raise Unsupported("CrossEntropyLoss with class weights, label smoothing or a reduction other than mean is not measured")
        return CrossEntropy()
    if kind == "MSELoss":
        if loss.reduction != "mean":
            raise Unsupported('MSELoss with a reduction other than "mean" is not a mean over examples; use stagewatch.MSE(reduction="sum")')
        return MSE()
    raise Unsupported(f"loss of type {kind} is not measured; known are CrossEntropyLoss, MSELoss and stagewatch.MSE(…)")


def loss_fields(loss: Optional[Loss]) -> Mapping[str, Any]:
    """The fields of `LossConvention` on the wire."""
    if loss is None:
        return {}
    if isinstance(loss, CrossEntropy):
        return {"kind": enum_value("LossKind", "LOSS_KIND_CROSS_ENTROPY")}
    reduction = "LOSS_REDUCTION_MEAN_OUTPUTS" if loss.reduction == "mean" else "LOSS_REDUCTION_SUM_OUTPUTS"
    return {
        "kind": enum_value("LossKind", "LOSS_KIND_MEAN_SQUARED_ERROR"),
        "reduction": enum_value("LossReduction", reduction),
        "halved": loss.halved,
    }


@dataclass(frozen=True)
class OptimizerConstants:
    """Constants of an update rule. Names that have no threshold are still shown.

    For hand-written loops: `OptimizerConstants("sgd", learning_rate=0.1, momentum=0.9)`.
    """

    name: str = ""
    learning_rate: float = 0.0
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    beta1: float = 0.0
    beta2: float = 0.0
    epsilon: float = 0.0
    weight_decay: float = 0.0
    decoupled_decay: bool = False
    #: Why the plain rule's threshold does not hold; empty when it does.
    departs: str = field(default="", compare=False)


def optimizer_fields(optimizer: Optional[OptimizerConstants]) -> Mapping[str, Any]:
    """The fields of `Optimizer` on the wire."""
    if optimizer is None:
        return {}
    fields = {name: getattr(optimizer, name) for name in OptimizerConstants.__dataclass_fields__ if name != "departs"}
    if optimizer.departs:
        fields["name"] = f"{optimizer.name} ({optimizer.departs})"
    return fields


def read_torch_optimizer(optimizer: Any) -> OptimizerConstants:
    """The constants of a `torch.optim` optimizer, read from its parameter groups."""
    groups = optimizer.param_groups
    group = groups[0]
    name = type(optimizer).__name__.lower()
    betas = group.get("betas", (0.0, 0.0))
    departs = [
        reason
        for reason, holds in (
            ("groups differ", any(_differ(group, other) for other in groups[1:])),
            ("maximize", bool(group.get("maximize", False))),
            ("amsgrad", bool(group.get("amsgrad", False))),
            ("centered", bool(group.get("centered", False))),
        )
        if holds
    ]
    return OptimizerConstants(
        name=name,
        learning_rate=number(group.get("lr", 0.0)),
        momentum=number(group.get("momentum", 0.0)),
        dampening=number(group.get("dampening", 0.0)),
        nesterov=bool(group.get("nesterov", False)),
        beta1=number(betas[0]),
        beta2=number(group["alpha"]) if name == "rmsprop" and "alpha" in group else number(betas[1]),
        epsilon=number(group.get("eps", 0.0)),
        weight_decay=number(group.get("weight_decay", 0.0)),
        decoupled_decay=name == "adamw" or bool(group.get("decoupled_weight_decay", False)),
        departs=", ".join(departs),
    )


def number(value: Any) -> float:
    """A float from a number, a zero-dimensional array or a tensor."""
    return float(value.item()) if hasattr(value, "item") else float(value)


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    names = ("lr", "momentum", "dampening", "nesterov", "betas", "alpha", "eps", "weight_decay")
    return any(name in one and name in other and one[name] != other[name] for name in names)
