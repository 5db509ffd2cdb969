"""Probe sets: a fixed, seeded subset of the training data, as an .npz without pickles.

They are somebody's data: nothing here is ever printed or logged.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from .conventions import BinaryCrossEntropy, CrossEntropy, Loss, Unsupported

DEFAULT_EXAMPLES = 5000
MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class ProbeSet:
    """Examples that measurements are taken on, and their bytes on the wire."""

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    npz: bytes
    digest: str
    class_names: Tuple[str, ...] = ()


def to_numpy(value: Any) -> npt.NDArray[Any]:
    """An array from a tensor of any device, an array, or a list."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def make_probe_set(
    pair: Tuple[Any, Any],
    loss: Loss,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = 0,
    class_names: Optional[Sequence[str]] = None,
) -> ProbeSet:
    """Takes at most `examples` examples (and at most 256 MiB of them), the same ones for the same seed."""
    x, y = pair
    count = len(x)
    if count == 0 or len(y) != count:
        raise Unsupported(f"a probe set needs as many labels as inputs, and at least one; got {count} and {len(y)}")
    bytes_each = max(1, int(np.prod(np.shape(x)[1:], dtype=np.int64)) * 4)
    keep = min(count, examples, max(1, MAX_BYTES // bytes_each))
    if keep < count:
        rows = np.sort(np.random.default_rng(seed).choice(count, keep, replace=False))
        x, y = _take(x, rows), _take(y, rows)
    inputs = _inputs(to_numpy(x))
    targets = _labels(to_numpy(y), loss)
    buffer = io.BytesIO()
    np.savez(buffer, x=inputs, y=targets)
    npz = buffer.getvalue()
    return ProbeSet(inputs, targets, npz, hashlib.sha256(npz).hexdigest(), tuple(class_names or ()))


def _take(value: Any, rows: npt.NDArray[np.int64]) -> Any:
    if hasattr(value, "index_select"):
        import torch

        return value.index_select(0, torch.as_tensor(rows, device=value.device))
    return np.asarray(value)[rows]


def _inputs(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(x, dtype=np.int64 if np.issubdtype(x.dtype, np.integer) else np.float32)


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
    if not isinstance(loss, CrossEntropy):
        return _targets(y, loss)
    return _probabilities(y, loss) if loss.probabilities else _class_indices(y)
