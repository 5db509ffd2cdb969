"""What is trained, as of now: which parameters the optimizer steps, and the description that goes with them."""

from __future__ import annotations

import dataclasses
import weakref
from typing import Any, Callable, List, Optional

from ..conventions import Loss, Unsupported
from ..identity import Subject
from ..probe_set import ProbeSet
from .parameters import TorchParameters
from .subject import make_subject, refer_again

#: So often may what the optimizer does not step change before the network counts as one that cannot be described.
MOST_MOVES = 3


def stepped(model: Any, optimizer: Any) -> List[Any]:
    """The model's parameters that the optimizer steps, in the model's order."""
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [p for p in model.parameters() if p.requires_grad and id(p) in held]


def describe(model: Any, describing: "Describing", trained: Optional[List[Any]], step: int) -> Subject:
    if trained is not None and not trained:
        raise Unsupported("the optimizer steps none of the model's parameters")
    subject, _ = make_subject(model, describing.loss, describing.train, describing.val, step, trained)
    return subject


@dataclasses.dataclass(frozen=True)
class Describing:
    """What a network is described with; examples are kept for as long as it may have to be described again."""

    loss: Loss
    train: ProbeSet
    val: Optional[ProbeSet]


class TorchSource:
    """Copies what is trained; when that changes (a layer is unfrozen, a group is added) it is described anew."""

    def __init__(self, model: Any, optimizer: Any, memory_bytes: int, describing: Optional[Describing] = None,
                 subject: Optional[Subject] = None, refuse: Callable[[str], None] = lambda reason: None) -> None:
        self._model = weakref.ref(model)
        self._optimizer = weakref.ref(optimizer)
        self._memory_bytes = memory_bytes
        self._describing = describing if subject is not None else None
        self._refuse = refuse
        #: The description of snapshots from now on, where it is not that of the beginning.
        self.subject: Optional[Subject] = None
        self._described = subject
        self._moves = 0
        self._take(model, stepped(model, optimizer))

    @property
    def alive(self) -> bool:
        return self._parameters.alive

    @property
    def layout(self) -> Any:
        return self._parameters.layout

    @property
    def pool(self) -> Any:
        return self._parameters.pool

    def copy(self) -> Any:
        return self._parameters.copy()

    def look(self, step: int) -> None:
        """Right before a snapshot: is what is trained still what was described?"""
        model, optimizer = self._model(), self._optimizer()
        if model is None or optimizer is None:
            return
        trained = stepped(model, optimizer)
        known = [reference() for reference in self._references]
        if len(known) != len(trained) or any(a is not b for a, b in zip(known, trained)):
            self._take(model, trained)
            self._say(lambda describing: describe(model, describing, trained, step))
        elif self._describing is not None and _version(model, trained) != self._frozen_version:
            self._frozen_version = _version(model, trained)
            self._moves += 1
            if self._moves > MOST_MOVES:
                self._give_up("parameters that the optimizer does not step change during training")
            else:
                self._say(lambda describing: describe(model, describing, trained, step))
        elif self._described is not None and self._described.has_kink and step >= 2 * self._described.reference_step + 1:
            described = self._described
            self._say(lambda describing: refer_again(model, describing.train, described, trained, step))

    def _take(self, model: Any, trained: List[Any]) -> None:
        self._references = [weakref.ref(p) for p in trained]
        self._frozen_version = _version(model, trained)
        self._parameters = TorchParameters(model, self._memory_bytes, trained)

    def _say(self, make: Callable[[Describing], Subject]) -> None:
        if self._describing is None:
            return
        try:
            self.subject = self._described = make(self._describing)
        except Unsupported as error:
            self._give_up(str(error))
        except Exception as error:
            self._give_up(f"{type(error).__name__}: {error}")

    def _give_up(self, reason: str) -> None:
        self._describing = None
        self._refuse(reason)


def _version(model: Any, trained: List[Any]) -> int:
    """Grows whenever a parameter changes that the optimizer does not step: it is a constant of the graph."""
    own = {id(p) for p in trained}
    return sum(p._version for p in model.parameters() if id(p) not in own and not p.is_inference())
