"""Copies a module's trained parameters into a buffer; parameters are held weakly."""

from __future__ import annotations

import weakref
from typing import Any, List, Optional

import torch

from ..layout import make_layout
from ..snapshots import Buffer, BufferPool


class TorchParameters:
    """The parameters that are trained, in the order of `model.named_parameters()`."""

    def __init__(self, model: Any, memory_bytes: int, trained: List[Any]) -> None:
        own = {id(p) for p in trained}
        named = [(name, p) for name, p in model.named_parameters() if id(p) in own]
        self._references = [weakref.ref(p) for _, p in named]
        self._device = any(p.device.type == "cuda" for _, p in named)
        self.layout = make_layout(
            (name, "float64" if p.dtype == torch.float64 else "float32", tuple(p.shape)) for name, p in named
        )
        self.pool = BufferPool(self._make, self.layout.total_bytes, memory_bytes)

    @property
    def names(self) -> List[str]:
        return [slot.name for slot in self.layout.slots]

    @property
    def alive(self) -> bool:
        return all(reference() is not None for reference in self._references)

    def copy(self) -> Optional[Buffer]:
        """A copy as of now, or None when every buffer is on its way."""
        parameters = [reference() for reference in self._references]
        if any(p is None for p in parameters):
            return None
        buffer = self.pool.take()
        if buffer is None:
            return None
        try:
            with torch.no_grad():
                for view, parameter in zip(buffer.views, parameters):
                    view.copy_(parameter, non_blocking=self._device)
            if self._device:
                # On the stream of the update, so the copy is before it; the encoder's thread waits for its end.
                event = torch.cuda.Event()
                event.record()
                buffer.ready = event.synchronize
            return buffer
        except BaseException:
            self.pool.give_back(buffer)
            raise

    def _make(self) -> Buffer:
        whole = torch.empty(self.layout.total_bytes, dtype=torch.uint8, pin_memory=self._device)
        views = []
        for slot in self.layout.slots:
            dtype = torch.float64 if slot.dtype == "float64" else torch.float32
            views.append(whole[slot.offset : slot.offset + slot.bytes].view(dtype).reshape(slot.shape))
        return Buffer(whole.numpy(), views)
