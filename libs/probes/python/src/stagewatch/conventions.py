"""How the loss is defined and which optimizer steps it: what a threshold is computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple, Union

from .wire import enum_value


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy of logits, mean over examples; over tokens as PyTorch means it: over all that count.

    Arguments:
        label_smoothing: this share of each target is spread evenly over all classes.
        ignore_index: a class that does not count.
        probabilities: the targets are a probability for each class instead of class indices.
        classes_second: over tokens, the network gives [batch, classes, tokens]; None finds out from the targets' shape.
        tokens: over tokens, "mean" (all that count alike), "example-mean" (of each example's mean) or "sum" (within an example).
    """

    label_smoothing: float = 0.0
    ignore_index: Optional[int] = None
    probabilities: bool = False
    classes_second: Optional[bool] = None
    tokens: str = "mean"

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(f"label_smoothing must lie between 0 and 1, not {self.label_smoothing!r}")
        if self.tokens not in _TOKENS:
            raise ValueError(f"tokens must be one of {', '.join(map(repr, _TOKENS))}, not {self.tokens!r}")


@dataclass(frozen=True)
class MSE:
    """Mean squared error: per example the `reduction` over outputs (times one half when `halved`), mean over examples.

    `MSE()` is what `torch.nn.MSELoss()` computes.
    """

    halved: bool = False
    reduction: str = "mean"

    def __post_init__(self) -> None:
        _check_reduction(self.reduction)


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Of logits, each output by itself with a target from 0 to 1: the `reduction` over outputs, mean over examples."""

    reduction: str = "mean"

    def __post_init__(self) -> None:
        _check_reduction(self.reduction)


@dataclass(frozen=True)
class Huber:
    """Half the squared error up to `delta`, linear beyond: the `reduction` over outputs, mean over examples.

    With `smooth_l1` it is divided by `delta`, as `torch.nn.SmoothL1Loss(beta=delta)` is.
    """

    delta: float = 1.0
    reduction: str = "mean"
    smooth_l1: bool = False

    def __post_init__(self) -> None:
        _check_reduction(self.reduction)
        if not self.delta > 0:
            raise ValueError(f"delta must be above 0, not {self.delta!r}")


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction must be "mean" or "sum" (over outputs), not {reduction!r}')


@dataclass(frozen=True)
class OwnLoss:
    """A loss that the job computes itself: exported with the network, which then gives the loss of each example.

    Without `function` it is the model's: what it gives as `loss` when it is called with `labels`.
    """

    function: Optional[Callable[[Any, Any], Any]] = None
    #: Examples do not weigh the same: class weights, tokens that do not count.
    weighted: bool = False

    @property
    def name(self) -> str:
        if self.function is None:
            return "the model's own loss"
        return str(getattr(self.function, "__name__", type(self.function).__name__))


Loss = Union[CrossEntropy, MSE, BinaryCrossEntropy, Huber, OwnLoss]
KINDS = (CrossEntropy, MSE, BinaryCrossEntropy, Huber, OwnLoss)

_TOKENS: Mapping[str, str] = {
    "mean": "LOSS_TOKENS_MEAN", "example-mean": "LOSS_TOKENS_EXAMPLE_MEAN", "sum": "LOSS_TOKENS_SUM",
}

_NAMES: Mapping[str, Loss] = {
    "cross-entropy": CrossEntropy(), "crossentropy": CrossEntropy(), "ce": CrossEntropy(),
    "mse": MSE(), "mean-squared-error": MSE(),
    "binary-cross-entropy": BinaryCrossEntropy(), "bce-with-logits": BinaryCrossEntropy(), "bce": BinaryCrossEntropy(),
    "huber": Huber(), "smooth-l1": Huber(smooth_l1=True),
    "model": OwnLoss(),
}


class Unsupported(Exception):
    """Something that the service has no measurement for; scalars are still sent."""


def read_loss(loss: Any) -> Optional[Loss]:
    """The loss convention behind what a user gave: a name, one of ours, a module or function of PyTorch, or a function."""
    if loss is None or isinstance(loss, KINDS):
        return loss
    if isinstance(loss, str):
        name = loss.lower().replace("_", "-")
        if name in _NAMES:
            return _NAMES[name]
        raise Unsupported(f"loss={loss!r} is not known; give one of {', '.join(sorted(_NAMES))}, a function of output and target, "
                          "or stagewatch.MSE(…) and the like")
    if str(getattr(loss, "__module__", "")) == "torch.nn.functional" and loss.__name__ in _FUNCTIONS:
        return _FUNCTIONS[loss.__name__]
    read = _MODULES.get(type(loss).__name__)
    plain = all(getattr(loss, weight, None) is None for weight in ("weight", "pos_weight"))
    if read is not None and plain and loss.reduction == "mean":
        return read(loss)
    if not callable(loss):
        raise Unsupported(f"loss of type {type(loss).__name__} is not measured: it is no function of output and target")
    if getattr(loss, "reduction", "mean") == "sum":
        raise Unsupported(f'{type(loss).__name__} with reduction="sum" is not a mean over examples; '
                          'use stagewatch.MSE(reduction="sum") and the like')
    return OwnLoss(loss)


def _smooth_l1(loss: Any) -> Loss:
    if not loss.beta > 0:
        raise Unsupported("SmoothL1Loss with beta=0 is not measured")
    return Huber(delta=float(loss.beta), smooth_l1=True)


_MODULES: Mapping[str, Callable[[Any], Loss]] = {
    # -100 is what PyTorch ignores unless it is told otherwise.
    "CrossEntropyLoss": lambda loss: CrossEntropy(
        label_smoothing=float(loss.label_smoothing), ignore_index=None if loss.ignore_index == -100 else int(loss.ignore_index)),
    "MSELoss": lambda loss: MSE(),
    "BCEWithLogitsLoss": lambda loss: BinaryCrossEntropy(),
    "HuberLoss": lambda loss: Huber(delta=float(loss.delta)),
    "SmoothL1Loss": _smooth_l1,
}


_FUNCTIONS: Mapping[str, Loss] = {
    "cross_entropy": CrossEntropy(), "mse_loss": MSE(), "binary_cross_entropy_with_logits": BinaryCrossEntropy(),
    "huber_loss": Huber(), "smooth_l1_loss": Huber(smooth_l1=True),
}


def loss_fields(loss: Optional[Loss]) -> Mapping[str, Any]:
    """The fields of `LossConvention` on the wire."""
    if loss is None:
        return {}
    if isinstance(loss, CrossEntropy):
        fields = {
            "kind": enum_value("LossKind", "LOSS_KIND_CROSS_ENTROPY"),
            "label_smoothing": loss.label_smoothing,
            "probabilities": loss.probabilities,
            "classes_second": bool(loss.classes_second),
            "tokens": enum_value("LossTokens", _TOKENS[loss.tokens]),
        }
        return fields if loss.ignore_index is None else {**fields, "ignored_class": loss.ignore_index}
    if isinstance(loss, OwnLoss):
        weights = {"weights": "weights"} if loss.weighted else {}
        return {"kind": enum_value("LossKind", "LOSS_KIND_OUTPUT"), "output": "losses", "target": "target", **weights}
    reduction = "LOSS_REDUCTION_MEAN_OUTPUTS" if loss.reduction == "mean" else "LOSS_REDUCTION_SUM_OUTPUTS"
    fields = {"reduction": enum_value("LossReduction", reduction)}
    if isinstance(loss, MSE):
        return {**fields, "kind": enum_value("LossKind", "LOSS_KIND_MEAN_SQUARED_ERROR"), "halved": loss.halved}
    if isinstance(loss, BinaryCrossEntropy):
        return {**fields, "kind": enum_value("LossKind", "LOSS_KIND_BINARY_CROSS_ENTROPY")}
    kind = "LOSS_KIND_SMOOTH_L1" if loss.smooth_l1 else "LOSS_KIND_HUBER"
    return {**fields, "kind": enum_value("LossKind", kind), "delta": loss.delta}


@dataclass(frozen=True)
class OptimizerGroup:
    """Parameters that are stepped with constants of their own."""

    learning_rate: float = 0.0
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    beta1: float = 0.0
    beta2: float = 0.0
    epsilon: float = 0.0
    weight_decay: float = 0.0
    #: Their names in the model; empty where they are not needed, or not known.
    parameters: Tuple[str, ...] = ()
    #: How many numbers they hold together.
    parameter_count: int = 0


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
    #: Each group, where their constants differ; those above are the first one's.
    groups: Tuple[OptimizerGroup, ...] = ()
    #: Why the plain rule's threshold does not hold; empty when it does.
    departs: str = field(default="", compare=False)


def optimizer_fields(optimizer: Optional[OptimizerConstants]) -> Mapping[str, Any]:
    """The fields of `Optimizer` on the wire."""
    if optimizer is None:
        return {}
    fields = {
        name: getattr(optimizer, name)
        for name in OptimizerConstants.__dataclass_fields__ if name not in ("departs", "groups")
    }
    if optimizer.departs:
        fields["name"] = f"{optimizer.name} ({optimizer.departs})"
    return fields


def read_torch_optimizer(optimizer: Any, model: Any = None) -> OptimizerConstants:
    """The constants of a `torch.optim` optimizer, read from its parameter groups; `model` gives the names of its parameters."""
    groups = optimizer.param_groups
    name = type(optimizer).__name__.lower()
    departs = [flag for flag in ("maximize", "amsgrad", "centered") if any(group.get(flag, False) for group in groups)]
    constants = [_constants(group, name) for group in groups]
    return OptimizerConstants(
        name=name,
        **constants[0],
        decoupled_decay=name == "adamw" or bool(groups[0].get("decoupled_weight_decay", False)),
        groups=_groups(groups, constants, model),
        departs=", ".join(departs),
    )


def _constants(group: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    betas = group.get("betas", (0.0, 0.0))
    return {
        "learning_rate": number(group.get("lr", 0.0)),
        "momentum": number(group.get("momentum", 0.0)),
        "dampening": number(group.get("dampening", 0.0)),
        "nesterov": bool(group.get("nesterov", False)),
        "beta1": number(betas[0]),
        "beta2": number(group["alpha"]) if name == "rmsprop" and "alpha" in group else number(betas[1]),
        "epsilon": number(group.get("eps", 0.0)),
        "weight_decay": number(group.get("weight_decay", 0.0)),
    }


def _groups(groups: Sequence[Any], constants: Sequence[Mapping[str, Any]], model: Any) -> Tuple[OptimizerGroup, ...]:
    """Nothing where all groups are stepped alike; names where it matters which parameter is in which."""
    if all(each == constants[0] for each in constants):
        return ()
    matters = any(each[key] != constants[0][key] for each in constants for key in ("learning_rate", "weight_decay"))
    names = {id(p): name for name, p in model.named_parameters()} if matters and model is not None else {}
    return tuple(
        OptimizerGroup(
            **each,
            parameters=tuple(names[id(p)] for p in group["params"] if id(p) in names),
            parameter_count=sum(p.numel() for p in group["params"]),
        )
        for group, each in zip(groups, constants)
    )


def number(value: Any) -> float:
    """A float from a number, a zero-dimensional array or a tensor."""
    return float(value.item()) if hasattr(value, "item") else float(value)
