"""Who is sending and what it trains, in the shape of the wire."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .conventions import Loss, OptimizerConstants, loss_fields, optimizer_fields
from .probe_set import ProbeSet
from .records import now_ms, printable
from .wire import MODEL_FORMAT_ONNX, AttachRunRequest, ModelDescription

TEXT_BYTES = 200
REASON_BYTES = 1000
MOST_TAGS = 64


def _shorten(text: str) -> str:
    return printable(text).encode("utf-8")[:TEXT_BYTES].decode("utf-8", "ignore")


@dataclass
class Identity:
    """What `AttachRun` is asked with; the same instance id on every try."""

    name: str
    project: str = ""
    framework: str = ""
    optimizer: Optional[OptimizerConstants] = None
    loss: Optional[Loss] = None
    #: Examples per update; 0 when it is not known.
    batch_size: int = 0
    #: Each update is of all training examples.
    full_batch: bool = False
    #: Of the whole training set; 0 when it is not known.
    training_examples: int = 0
    planned_steps: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    resume: Optional[str] = None
    join_attempt: Optional[int] = None
    rank: int = 0
    first_step: int = 0
    instance_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def request(self) -> Any:
        request = AttachRunRequest(
            instance_id=self.instance_id,
            name=_shorten(self.name),
            project=_shorten(self.project),
            framework=_shorten(self.framework),
            batch_size=self.batch_size,
            full_batch=self.full_batch,
            training_examples=self.training_examples,
            planned_steps=self.planned_steps,
            tags={_shorten(str(key)): _shorten(str(value)) for key, value in list(self.tags.items())[:MOST_TAGS]},
            resume_run_id=self.resume or "",
            rank=self.rank,
            client_time_ms=now_ms(),
            first_step=self.first_step,
        )
        if self.join_attempt is not None:
            request.join_attempt = self.join_attempt
        for name, value in optimizer_fields(self.optimizer).items():
            setattr(request.optimizer, name, value)
        for group in self.optimizer.groups if self.optimizer is not None else ():
            request.optimizer.groups.add(**asdict(group))
        for name, value in loss_fields(self.loss).items():
            setattr(request.loss, name, value)
        return request


@dataclass(frozen=True)
class Attached:
    """What the service answered."""

    run_id: str
    attempt: int
    page_url: str
    chunk_bytes: int
    message_bytes: int
    metrics_per_run: int

    @staticmethod
    def of(response: Any) -> "Attached":
        return Attached(response.run_id, response.attempt, response.page_url, response.limits.chunk_bytes,
                        response.limits.message_bytes, response.limits.metrics_per_run)


@dataclass(frozen=True)
class Subject:
    """The network and what it is measured on. Artifacts are kept by digest until they have been uploaded."""

    graph: bytes
    graph_digest: str
    parameters: Sequence[str]
    train: ProbeSet
    val: Optional[ProbeSet] = None
    #: As shapes and targets have settled it.
    loss: Optional[Loss] = None
    #: For each further name of a shared parameter, its name among `parameters`.
    aliases: Mapping[str, str] = field(default_factory=dict)
    #: Shapes of parameters that the network does not use.
    unused: Mapping[str, Tuple[int, ...]] = field(default_factory=dict)
    reference_loss: Optional[float] = None
    reference_gradient_norm: Optional[float] = None
    reference_step: int = 0
    #: The loss has a kink there, so its gradient is a matter of the framework: another reference is wanted.
    has_kink: bool = False
    #: In training the network is a noisier function than this: dropout, batch normalisation.
    noisy: bool = False

    def description(self) -> Any:
        model = ModelDescription(
            format=MODEL_FORMAT_ONNX,
            graph_digest=self.graph_digest,
            parameters=list(self.parameters),
            reference_step=self.reference_step,
            aliases=dict(self.aliases),
            noisy_training=self.noisy,
        )
        for name, shape in self.unused.items():
            model.unused.add(name=name, shape=shape)
        for target, probe_set in ((model.train, self.train), (model.val, self.val)):
            if probe_set is not None:
                target.digest = probe_set.digest
                target.examples = len(probe_set.x)
                target.class_names.extend(probe_set.class_names)
        if self.reference_loss is not None:
            model.reference_loss = self.reference_loss
        if self.reference_gradient_norm is not None:
            model.reference_gradient_norm = self.reference_gradient_norm
        return model

    def artifacts(self) -> Dict[str, bytes]:
        sets: Tuple[Optional[ProbeSet], ...] = (self.train, self.val)
        return {self.graph_digest: self.graph, **{s.digest: s.npz() for s in sets if s is not None}}


@dataclass(frozen=True)
class Unmeasured:
    """In the place of a `Subject`: why there is none, for people."""

    reason: str

    def description(self) -> Any:
        return ModelDescription(unmeasured=printable(self.reason).encode("utf-8")[:REASON_BYTES].decode("utf-8", "ignore"))

    def artifacts(self) -> Dict[str, bytes]:
        return {}
