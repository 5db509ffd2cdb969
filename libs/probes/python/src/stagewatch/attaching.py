"""`attach`: from what a training script has at hand to a run that is being watched."""

from __future__ import annotations

import os
import socket
import sys
import weakref
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

from .cadence import Cadence
from .clock import StepClock
from .conventions import Loss, OptimizerConstants, Unsupported, read_loss, read_torch_optimizer
from .identity import Identity, Subject
from .pipeline import MIB, Pipeline, Settings
from .probe_set import DEFAULT_EXAMPLES, ProbeSet, make_probe_set
from .quiet import Quiet, logger
from .run import Run, watch_run

DEFAULT_ADDRESS = "127.0.0.1:7581"

Pair = Tuple[Any, Any]


def attach(
    model: Any = None,
    optimizer: Any = None,
    loss: Any = None,
    train: Optional[Pair] = None,
    val: Optional[Pair] = None,
    *,
    name: Optional[str] = None,
    project: Optional[str] = None,
    address: Optional[str] = None,
    token: Optional[str] = None,
    resume: Optional[str] = None,
    first_step: int = 0,
    batch_size: Optional[int] = None,
    planned_steps: Optional[int] = None,
    tags: Optional[Mapping[str, str]] = None,
    classes: Optional[Sequence[str]] = None,
    onnx: Optional[bytes] = None,
    parameters: Optional[Sequence[str]] = None,
    framework: Optional[str] = None,
    order: str = "auto",
    probe_examples: int = DEFAULT_EXAMPLES,
    seed: int = 0,
    snapshot_every: Optional[int] = None,
    memory_mib: int = 256,
    spool_mib: int = 1024,
    spool_folder: Optional[str] = None,
    drain_seconds: float = 10.0,
    on_snapshot: Optional[Callable[[int], None]] = None,
    rank: Optional[int] = None,
    quiet: bool = False,
) -> Run:
    """Attaches this process to a Stagewatch service. Never raises, and never waits for the service.

    Arguments:
        model: a `torch.nn.Module`, or None for a hand-written loop.
        optimizer: the `torch.optim` optimizer; for a hand-written loop `OptimizerConstants(…)`.
        loss: the loss that is stepped, as a mean over examples: `"cross-entropy"`, `"mse"`, `"binary-cross-entropy"`, `"huber"`,
            `"smooth-l1"`; a module of `torch.nn` (CrossEntropyLoss, MSELoss, BCEWithLogitsLoss, HuberLoss, SmoothL1Loss); or
            `stagewatch.CrossEntropy(…)`, `MSE(…)`, `BinaryCrossEntropy(…)`, `Huber(…)`.
        train, val: `(x, y)` to take the probe sets from; a seeded subset of at most `probe_examples`.
        name, project, tags: shown to people.
        address, token: of the service; else STAGEWATCH_ADDRESS, STAGEWATCH_TOKEN, else 127.0.0.1:7581.
        resume, first_step: take up this run as its next attempt, at this step. While the service still takes the attempt before
            for live, this needs the run's secret, which the probe keeps in STAGEWATCH_SECRET_FOLDER.
        batch_size: examples per update; None for the full training set.
        onnx, parameters: for hand-written loops: the forward graph and the names of its parameters, in order.
        order: when `run.step` is called: "before" or "after" `optimizer.step()`; "auto" finds out.
        snapshot_every: a snapshot every so many steps, whatever the service wishes; by default dense at first, then sparser,
            and as the service wishes.
        memory_mib, spool_mib, spool_folder: bounds for snapshots in memory and for everything on disk.
        drain_seconds: how long `finish` and the end of the process wait at most.
        on_snapshot: called with the step right before its snapshot is copied.
        rank: of this process; by default only rank 0 (RANK in the environment) is watched.

    Example:
        run = stagewatch.attach(model, optimizer, loss="cross-entropy", train=(x, y), val=(x_val, y_val))
    """
    trouble = Quiet()
    try:
        rank_here = int(os.environ.get("RANK", "0") or 0) if rank is None else rank
        if rank is None and rank_here > 0:
            return unwatched(trouble)
        settings = Settings(
            address=_plain_address(address or os.environ.get("STAGEWATCH_ADDRESS") or DEFAULT_ADDRESS),
            token=token or os.environ.get("STAGEWATCH_TOKEN") or None,
            spool_folder=spool_folder,
            spool_bytes=spool_mib * MIB,
            secret_folder=os.environ.get("STAGEWATCH_SECRET_FOLDER") or None,
            run_secret=os.environ.get("STAGEWATCH_RUN_SECRET") or None,
            drain_s=drain_seconds,
            quiet=quiet,
        )
        convention = _or_warn(trouble, "loss", lambda: read_loss(loss))
        constants = optimizer if isinstance(optimizer, OptimizerConstants) else None
        if optimizer is not None and constants is None:
            constants = _or_warn(trouble, "optimizer", lambda: read_torch_optimizer(optimizer, model))
        identity = Identity(
            name=name or _default_name(), project=project or "", framework=framework or _framework(model),
            optimizer=constants, loss=convention, batch_size=batch_size or 0, planned_steps=planned_steps or 0,
            tags=dict(tags or {}), resume=resume, rank=rank_here, first_step=first_step,
        )
        subject = _or_warn(
            trouble, "model",
            lambda: _subject(model, convention, train, val, onnx, parameters, classes, probe_examples, seed, first_step),
        )
        if subject is not None and subject.loss is not None:
            identity.loss = subject.loss
        hooked = model is not None and hasattr(optimizer, "param_groups")
        cadence = Cadence(first_step, snapshot_every)
        pipeline = Pipeline(settings, identity, subject, cadence, trouble)
        if model is not None and subject is None:
            pipeline.on_unmeasured()
        run = Run(pipeline, StepClock(first_step, hooked, order), cadence, trouble, memory_mib * MIB, on_snapshot)
        if hooked:
            _hook(run, model, optimizer, memory_mib * MIB)
        elif constants is not None and constants.learning_rate > 0:
            run.learning_rate(constants.learning_rate)
        watch_run(run)
        pipeline.start()
        return run
    except Exception as error:
        trouble.trouble("attach", error)
        return unwatched(trouble)


def unwatched(quiet: Quiet) -> Run:
    """A run that does nothing, for a rank that is not watched and for an attach that failed."""
    cadence = Cadence()
    pipeline = Pipeline(Settings(address="", drain_s=0.0, quiet=True), Identity(name=""), None, cadence, quiet)
    pipeline.wanted = False
    run = Run(pipeline, StepClock(0, False), cadence, quiet, 0)
    run._on = False
    run._ended = True
    return run


def _hook(run: Run, model: Any, optimizer: Any, memory_bytes: int) -> None:
    from .pytorch.hooks import before_update
    from .pytorch.parameters import TorchParameters
    from .pytorch.subject import unwrap

    run._optimizer = weakref.ref(optimizer)
    run._taker.source = TorchParameters(unwrap(model), memory_bytes)
    run._unhook = before_update(optimizer, run._before_update)


def _subject(model: Any, loss: Optional[Loss], train: Optional[Pair], val: Optional[Pair], onnx: Optional[bytes],
             parameters: Optional[Sequence[str]], classes: Optional[Sequence[str]], examples: int, seed: int,
             step: int) -> Optional[Subject]:
    if model is None and onnx is None:
        return None
    if loss is None or train is None:
        missing = "loss=…" if loss is None else "train=(x, y)"
        raise Unsupported(f"without {missing} nothing can be measured")
    train_set = make_probe_set(train, loss, examples, seed, classes)
    val_set: Optional[ProbeSet] = make_probe_set(val, loss, examples, seed, classes) if val is not None else None
    if model is None:
        import hashlib

        assert onnx is not None
        if not parameters:
            raise Unsupported("onnx=… needs parameters=[…], the names of its parameters in order")
        return Subject(onnx, hashlib.sha256(onnx).hexdigest(), list(parameters), train_set, val_set)
    from .pytorch.subject import make_subject, unwrap

    subject, seconds = make_subject(unwrap(model), loss, train_set, val_set, step)
    logger.info("exported the network and computed the reference loss in %.2f s", seconds)
    return subject


def _or_warn(quiet: Quiet, what: str, make: Callable[[], Any]) -> Any:
    """What `make` gives, or None with one warning: scalars are sent all the same."""
    try:
        return make()
    except Unsupported as error:
        quiet.warn(f"unsupported:{what}", f"the network cannot be measured, scalars are still sent: {error}")
    except Exception as error:
        quiet.warn(f"unsupported:{what}", f"reading the {what} failed, scalars are still sent: {type(error).__name__}: {error}")
    return None


def _plain_address(address: str) -> str:
    for scheme in ("http://", "grpc://"):
        if address.startswith(scheme):
            address = address[len(scheme):]
    return address.rstrip("/")


def _default_name() -> str:
    script = os.path.splitext(os.path.basename(sys.argv[0] or ""))[0] if sys.argv else ""
    return script if script and script not in ("-c", "-m") else f"run on {socket.gethostname()}"


def _framework(model: Any) -> str:
    if model is None:
        import numpy

        return f"numpy {numpy.__version__}"
    torch = sys.modules.get("torch")
    return f"torch {torch.__version__}" if torch is not None else type(model).__module__
