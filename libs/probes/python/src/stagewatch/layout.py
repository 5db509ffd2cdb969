"""Where each parameter lies in a snapshot: raw little-endian tensors in one blob."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Iterable, Tuple

_ITEM_BYTES = {"float32": 4, "float64": 8}


@dataclass(frozen=True)
class TensorSlot:
    name: str
    dtype: str
    shape: Tuple[int, ...]
    offset: int
    bytes: int


@dataclass(frozen=True)
class Layout:
    slots: Tuple[TensorSlot, ...]
    total_bytes: int


def make_layout(tensors: Iterable[Tuple[str, str, Tuple[int, ...]]]) -> Layout:
    """Lays tensors `(name, dtype, shape)` one after the other, each at a multiple of its own item size."""
    if sys.byteorder != "little":
        raise OSError("snapshots are little endian, and this machine is not")
    slots = []
    offset = 0
    for name, dtype, shape in tensors:
        item = _ITEM_BYTES[dtype]
        offset = -(-offset // item) * item
        size = item
        for length in shape:
            size *= length
        slots.append(TensorSlot(name, dtype, shape, offset, size))
        offset += size
    return Layout(tuple(slots), offset)
