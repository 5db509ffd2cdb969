"""`attach`: from what a training script has at hand to a run that is being watched."""

from __future__ import annotations

import inspect
import os
import socket
import sys
import time
import weakref
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Union

from . import undelivered
from .cadence import Cadence
from .clock import StepClock
from .conventions import OptimizerConstants, OwnLoss, Unsupported, read_loss, read_torch_optimizer
from .identity import Identity, Subject, Unmeasured
from .pipeline import MIB, Pipeline, Settings
from .probe_set import DEFAULT_EXAMPLES, make_probe_set
from .quiet import Quiet, logger
from .run import Run, watch_run

DEFAULT_ADDRESS = "127.0.0.1:7581"

def attach(
    model: Any = None,
    optimizer: Any = None,
    loss: Any = None,
    train: Any = None,
    val: Any = None,
    *,
    name: Optional[str] = None,
    project: Optional[str] = None,
    address: Optional[str] = None,
    token: Optional[str] = None,
    resume: Optional[str] = None,
    first_step: int = 0,
    batch_size: Union[int, str, None] = None,
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
            `"smooth-l1"`; a loss of `torch.nn` or `torch.nn.functional`; `stagewatch.CrossEntropy(…)`, `MSE(…)`,
            `BinaryCrossEntropy(…)`, `Huber(…)`; a function of output and target; or `"model"`, what the model gives as `loss` when it
            is called with `labels`.
        train, val: `(x, y)`, a dictionary, a Dataset or a DataLoader to take the probe sets from; a seeded subset of at most
            `probe_examples`. Where the model takes several inputs, x is a tuple or a dictionary of them.
        name, project, tags: shown to people.
        address, token: of the service; else STAGEWATCH_ADDRESS, STAGEWATCH_TOKEN, else 127.0.0.1:7581.
        resume, first_step: take up this run as its next attempt, at this step. While the service still takes the attempt before
            for live, this needs the run's secret, which the probe keeps in STAGEWATCH_SECRET_FOLDER.
        batch_size: examples per update, or "full" for all training examples; None finds out.
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
    given = {key: value for key, value in locals().items() if key not in ("trouble", "rank")}
    try:
        rank_here = int(os.environ.get("RANK", "0") or 0) if rank is None else rank
        if rank is None and rank_here > 0:
            return unwatched(trouble)
    except Exception as error:
        trouble.trouble("attach", error)
        return unwatched(trouble)
    try:
        return _attach(trouble, rank_here, **given)
    except Exception as error:
        trouble.trouble("attach", error)
    try:
        # Whatever it was: the numbers of the job are watched.
        plain = {key: given[key] for key in ("address", "token", "quiet", "spool_folder", "spool_mib", "drain_seconds")}
        return _attach(trouble, rank_here, **{**_DEFAULTS, **plain, "name": None if name is None else str(name)})
    except Exception as error:
        trouble.trouble("attach", error)
        return unwatched(trouble)


def _attach(trouble: Quiet, rank_here: int, *, model: Any, optimizer: Any, loss: Any, train: Any, val: Any, name: Optional[str],
            project: Optional[str], address: Optional[str], token: Optional[str], resume: Optional[str], first_step: int,
            batch_size: Union[int, str, None], planned_steps: Optional[int], tags: Optional[Mapping[str, str]],
            classes: Optional[Sequence[str]], onnx: Optional[bytes], parameters: Optional[Sequence[str]], framework: Optional[str],
            order: str, probe_examples: int, seed: int, snapshot_every: Optional[int], memory_mib: int, spool_mib: int,
            spool_folder: Optional[str], drain_seconds: float, on_snapshot: Optional[Callable[[int], None]], quiet: bool) -> Run:
    settings = Settings(
        address=_plain_address(address or os.environ.get("STAGEWATCH_ADDRESS") or DEFAULT_ADDRESS),
        token=token or os.environ.get("STAGEWATCH_TOKEN") or None,
        spool_folder=spool_folder,
        spool_bytes=spool_mib * MIB,
        undelivered_folder=undelivered.default_folder(),
        secret_folder=os.environ.get("STAGEWATCH_SECRET_FOLDER") or None,
        run_secret=os.environ.get("STAGEWATCH_RUN_SECRET") or None,
        drain_s=drain_seconds,
        quiet=quiet,
    )
    hooked = model is not None and not isinstance(optimizer, OptimizerConstants) and hasattr(optimizer, "param_groups")
    if hooked:
        from .pytorch.hooks import unwrap_optimizer

        optimizer = unwrap_optimizer(optimizer)
    constants = optimizer if isinstance(optimizer, OptimizerConstants) else None
    if optimizer is not None and constants is None:
        constants = _or_warn(trouble, "optimizer", lambda: read_torch_optimizer(optimizer, model)).value
    made = _or_warn(trouble, "model", lambda: _subject(model, optimizer if hooked else None, loss, train, val, onnx, parameters,
                                                       classes, probe_examples, seed, first_step))
    subject, describing = made.value or (None, None)
    convention = describing.loss if describing is not None else _or_warn(trouble, "model", lambda: read_loss(loss)).value
    identity = Identity(
        name=name or _default_name(), project=project or "", framework=framework or _framework(model),
        optimizer=constants, loss=convention if subject is None or subject.loss is None else subject.loss,
        batch_size=0 if batch_size is None or batch_size == "full" else int(batch_size), full_batch=batch_size == "full",
        training_examples=describing.train.of or 0 if describing is not None else 0, planned_steps=int(planned_steps or 0),
        tags=dict(tags or {}), resume=resume, rank=rank_here, first_step=first_step,
    )
    identity.request()
    cadence = Cadence(first_step, snapshot_every)
    described = subject if subject is not None or model is None else Unmeasured(made.reason or "the job gave no network")
    pipeline = Pipeline(settings, identity, described, cadence, trouble)
    if isinstance(described, Unmeasured):
        pipeline.on_unmeasured()
    clock = StepClock(first_step, hooked, order)
    run = Run(pipeline, clock, cadence, trouble, memory_mib * MIB, on_snapshot)
    if hooked:
        try:
            _hook(run, clock, model, optimizer, memory_mib * MIB, describing, subject)
        except Exception as error:
            # Steps are then the calls of `run.step`, as in a loop written by hand.
            pipeline.unmeasured(f"{type(optimizer).__name__} cannot be followed: {type(error).__name__}: {error}")
            run._count_calls(first_step)
    if not hooked and constants is not None and constants.learning_rate > 0:
        run.learning_rate(constants.learning_rate)
    watch_run(run)
    pipeline.start()
    return run


def unwatched(quiet: Quiet) -> Run:
    """A run that does nothing, for a rank that is not watched and for an attach that failed."""
    cadence = Cadence()
    pipeline = Pipeline(Settings(address="", drain_s=0.0, quiet=True), Identity(name=""), None, cadence, quiet)
    pipeline.wanted = False
    run = Run(pipeline, StepClock(0, False), cadence, quiet, 0)
    run._on = False
    run._ended = True
    return run


def _hook(run: Run, clock: StepClock, model: Any, optimizer: Any, memory_bytes: int, describing: Any,
          subject: Optional[Subject]) -> None:
    from .pytorch.hooks import before_update
    from .pytorch.source import TorchSource, stepped
    from .pytorch.subject import unwrap
    from .pytorch.watching import Watching

    network = unwrap(model)
    run._optimizer = weakref.ref(optimizer)
    unhook = run._unhook = before_update(optimizer, run._before_update)
    run._taker.source = TorchSource(network, optimizer, memory_bytes, describing, subject, run._pipeline.unmeasured)
    hooks = run._hooks = Watching(model if hasattr(model, "register_forward_pre_hook") else network, stepped(network, optimizer), clock)

    def remove() -> None:
        unhook()
        hooks.remove()
    run._unhook = remove


def _subject(model: Any, optimizer: Any, loss: Any, train: Any, val: Any, onnx: Optional[bytes], parameters: Optional[Sequence[str]],
             classes: Optional[Sequence[str]], examples: int, seed: int, step: int) -> Any:
    """The description, and what it was made of where PyTorch makes it."""
    if model is None and onnx is None:
        return None
    if train is None:
        raise Unsupported("without train=(x, y) nothing can be measured")
    convention = read_loss(loss)
    if model is None:
        import hashlib

        assert onnx is not None
        if convention is None:
            raise Unsupported("without loss=… nothing can be measured")
        if not parameters:
            raise Unsupported("onnx=… needs parameters=[…], the names of its parameters in order")
        train_set, val_set = (None if given is None else make_probe_set(given, convention, examples, seed, classes)
                              for given in (train, val))
        assert train_set is not None
        return Subject(onnx, hashlib.sha256(onnx).hexdigest(), list(parameters), train_set, val_set), None
    from .pytorch.source import Describing, describe, stepped
    from .pytorch.subject import argument_names, unwrap

    network = unwrap(model)
    names = argument_names(network)
    if convention is None and "labels" in names:
        convention = OwnLoss()
    if convention is None:
        raise Unsupported("without loss=… nothing can be measured")
    sets = [None if given is None else make_probe_set(given, convention, examples, seed, classes, names) for given in (train, val)]
    assert sets[0] is not None
    describing = Describing(convention, sets[0], sets[1])
    trained = None if optimizer is None else stepped(network, optimizer)
    began = time.perf_counter()
    subject = describe(network, describing, trained, step)
    logger.info("exported the network and computed the reference loss in %.2f s", time.perf_counter() - began)
    return subject, describing


class Made(NamedTuple):
    value: Any
    reason: str


def _or_warn(quiet: Quiet, what: str, make: Callable[[], Any]) -> Made:
    """What `make` gives, or None with one warning and the reason: scalars are sent all the same."""
    try:
        return Made(make(), "")
    except Unsupported as error:
        reason = str(error)
    except Exception as error:
        reason = f"reading the {what} failed: {type(error).__name__}: {error}"
    quiet.warn(f"unsupported:{what}", f"the network cannot be measured, scalars are still sent: {reason}")
    return Made(None, reason)


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


_DEFAULTS: Dict[str, Any] = {
    name: each.default for name, each in inspect.signature(attach).parameters.items() if name != "rank"}
