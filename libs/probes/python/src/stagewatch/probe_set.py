"""Probe sets: a fixed, seeded subset of the training data, as an .npz without pickles.

They are somebody's data: nothing here is ever printed or logged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from dataclasses import dataclass, field
from typing import Any, FrozenSet, Mapping, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from .conventions import BinaryCrossEntropy, CrossEntropy, Loss, OwnLoss, Unsupported
from .examples import read_examples

DEFAULT_EXAMPLES = 5000


@dataclass(frozen=True)
class ProbeSet:
    """Examples that measurements are taken on. The bytes on the wire are made anew whenever they are asked for."""

    #: By the names of the model's arguments, in the order of the graph.
    inputs: Mapping[str, npt.NDArray[Any]]
    y: npt.NDArray[Any]
    digest: str = ""
    class_names: Tuple[str, ...] = ()
    #: Inputs are passed to the model by their names.
    keywords: bool = False
    #: Inputs that were given as bytes, and that the model gets as such: they travel as numbers.
    bytes_: FrozenSet[str] = field(default_factory=frozenset)
    #: Examples of the whole training set; None when it is not known.
    of: Optional[int] = None

    @property
    def x(self) -> npt.NDArray[Any]:
        return next(iter(self.inputs.values()))

    def npz(self) -> bytes:
        buffer = io.BytesIO()
        rest = dict(list(self.inputs.items())[1:])
        np.savez(buffer, x=self.x, y=self.y, **rest)
        return buffer.getvalue()


def to_numpy(value: Any) -> npt.NDArray[Any]:
    """An array from a tensor of any device, an array, or a list."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def make_probe_set(
    given: Any,
    loss: Loss,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = 0,
    class_names: Optional[Sequence[str]] = None,
    names: Sequence[str] = (),
) -> ProbeSet:
    """Takes at most `examples` examples (and at most 256 MiB of them), the same ones for the same seed."""
    taken = read_examples(given, names, examples, seed)
    arrays = {name: to_numpy(value) for name, value in taken.inputs.items()}
    bytes_ = frozenset(name for name, array in arrays.items() if array.dtype == np.uint8)
    inputs = {name: _inputs(array) for name, array in arrays.items()}
    probe_set = ProbeSet(inputs, _labels(to_numpy(taken.targets), loss), "", tuple(class_names or ()), taken.keywords, bytes_,
                         taken.of)
    return dataclasses.replace(probe_set, digest=hashlib.sha256(probe_set.npz()).hexdigest())


def _inputs(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bytes are pictures, and travel as floats; other whole numbers are places in tables."""
    if x.dtype.kind not in "fiub":
        raise Unsupported(f"examples are floats or whole numbers; got {x.dtype}")
    whole = x.dtype.kind in "iub" and x.dtype != np.uint8
    return np.ascontiguousarray(x, dtype=np.int64 if whole else np.float32)


def _class_indices(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if y.ndim < 1 or not np.issubdtype(y.dtype, np.integer):
        raise Unsupported(
            f"cross-entropy is measured with class indices, integers of shape [n] or [n, tokens]; got {y.dtype} of shape {list(y.shape)}; "
            "for probabilities give stagewatch.CrossEntropy(probabilities=True)")
    return np.ascontiguousarray(y, dtype=np.int64)


def _probabilities(y: npt.NDArray[Any], loss: CrossEntropy) -> npt.NDArray[Any]:
    if y.ndim < 2 or not np.issubdtype(y.dtype, np.floating):
        raise Unsupported(f"probabilities are floating-point targets of shape [n, classes]; got {y.dtype} of shape {list(y.shape)}")
    # They travel with the classes last.
    last = np.moveaxis(y, 1, -1) if loss.classes_second and y.ndim > 2 else y
    return np.ascontiguousarray(last, dtype=np.float32)


def _targets(y: npt.NDArray[Any], loss: Loss) -> npt.NDArray[Any]:
    binary = isinstance(loss, BinaryCrossEntropy)
    if not (np.issubdtype(y.dtype, np.floating) or (binary and y.dtype.kind in "biu")):
        raise Unsupported(f"this loss is measured with floating-point targets of shape [n, k]; got {y.dtype}")
    return np.ascontiguousarray(y.reshape(len(y), -1), dtype=np.float32)


def _labels(y: npt.NDArray[Any], loss: Loss) -> npt.NDArray[Any]:
    if isinstance(loss, OwnLoss):
        # As the loss itself takes them.
        return np.ascontiguousarray(y, dtype=np.int64 if y.dtype.kind in "iub" else np.float32)
    if not isinstance(loss, CrossEntropy):
        return _targets(y, loss)
    return _probabilities(y, loss) if loss.probabilities else _class_indices(y)
