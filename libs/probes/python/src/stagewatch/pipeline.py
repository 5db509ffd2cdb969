"""Everything behind the training loop: the queue, the encoder's thread, the journal, the sender's thread.

It knows nothing of the model, the optimizer or the `Run`, so that a run can be forgotten while its last records leave.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Deque, Optional, Union

from . import lifecycle
from .cadence import Cadence
from .encoder import Encoder, Item, new_queue
from .identity import Attached, Identity, Subject, Unmeasured
from .journal import Journal
from .losses import Losses
from .quiet import Quiet
from .run_secrets import RunSecrets
from .sender import Sender
from .spool import Spool

MIB = 1024 * 1024
# How long a number may wait for company. Longer while nobody listens: fewer, larger records.
FLUSH_S = 0.2
FLUSH_AWAY_S = 1.0
HEARTBEAT_S = 10.0
# What the end of a job waits for a service that has not answered it yet.
UNANSWERED_S = 2.0


@dataclass(frozen=True)
class Settings:
    """Where to send, and the bounds."""

    address: str
    token: Optional[str] = None
    spool_folder: Optional[str] = None
    spool_bytes: int = 1024 * MIB
    secret_folder: Optional[str] = None
    run_secret: Optional[str] = None
    drain_s: float = 10.0
    quiet: bool = False


class Pipeline:
    """Started once, ended once."""

    def __init__(self, settings: Settings, identity: Identity, subject: Union[Subject, Unmeasured, None], cadence: Cadence, quiet: Quiet) -> None:
        self._settings = settings
        self._cadence = cadence
        self._quiet = quiet
        self.items: Deque[Item] = new_queue()
        self._losses = Losses()
        #: What the training thread left out; it goes into the queue, so that its gap comes in the order of steps.
        self.behind = Losses()
        self._spool = Spool(settings.spool_bytes, settings.spool_folder)
        self._journal = Journal(self._spool, settings.spool_bytes)
        self._encoder = Encoder(self.items, self._journal, self._losses, quiet, identity.first_step)
        secrets = RunSecrets(settings.secret_folder, settings.run_secret)
        self._sender = Sender(settings.address, settings.token, identity, subject, self._journal, quiet, self, secrets)
        self._wake = threading.Event()
        self._end: Optional[tuple[str, str]] = None
        #: False once nothing is wanted any more: the training loop stops handing things over.
        self.wanted = True
        self._encoder_thread = threading.Thread(target=self._encode, name="stagewatch-encoder", daemon=True)
        self._sender_thread = threading.Thread(target=self._send, name="stagewatch-sender", daemon=True)

    def start(self) -> None:
        self._encoder_thread.start()
        self._sender_thread.start()

    @property
    def snapshots_wanted(self) -> bool:
        return self.wanted and self._encoder.snapshots_on

    @property
    def attached(self) -> Optional[Attached]:
        return self._sender.attached

    def unmeasured(self, reason: str) -> None:
        """From now on there is no network that could be measured, for this reason; scalars are still sent."""
        self.on_unmeasured()
        self._quiet.warn("unmeasured", f"the network cannot be measured, scalars are still sent: {reason}")
        self._sender.unmeasured(Unmeasured(reason))

    def wake(self) -> None:
        """There is something that should not wait for the next flush."""
        self._wake.set()

    def end(self, status: str, message: str) -> None:
        """Says that the job has ended; what is queued is still sent. Only the first call counts."""
        self.end_quietly(status, message)
        self._wake.set()

    def end_quietly(self, status: str, message: str) -> None:
        """The same without a lock, for a finalizer, which may run inside any other call; noticed at the next flush."""
        if self._end is None:
            self._end = (status, message)

    def drain(self) -> bool:
        """Waits until everything is durable; True when it is. A service that knows of this job is waited for longer."""
        done, longest = self._sender.done, self._settings.drain_s
        first = min(UNANSWERED_S, longest)
        if not done.wait(first) and self._sender.answered:
            done.wait(longest - first)
        return done.is_set() and self._journal.pending == 0

    def abandon(self) -> None:
        """Ends now; what is left is said and dropped."""
        left = self._journal.pending + len(self.items)
        if left and self.wanted:
            self._quiet.warn("left", f"{left} records could not be delivered to {self._settings.address} before the end")
        self.wanted = False
        self._sender.stop()

    def status(self) -> dict[str, Any]:
        return {
            "connected": self._sender.connected,
            "queued_points": len(self.items),
            "queued_records": self._journal.pending,
            "acknowledged_records": self._journal.acknowledged,
            "spooled_bytes": self._spool.bytes,
            "lost_points": self._losses.points + self.behind.points,
            "lost_snapshots": self._losses.snapshots + self.behind.snapshots,
            "warnings": self._quiet.warnings,
        }

    # What the sender tells.

    def on_attached(self, attached: Attached) -> None:
        if attached.page_url and not self._settings.quiet:
            try:
                print(f"stagewatch: watching this run at {attached.page_url}", file=sys.stderr, flush=True)
            except Exception:
                pass

    def on_control(self, control: Any) -> None:
        wish = control.WhichOneof("wish")
        if wish == "snapshot_now":
            self._cadence.ask()
        elif wish == "cadence":
            self._cadence.change(control.cadence.from_step, control.cadence.every_steps, control.cadence.factor)
        elif wish == "stop_sending":
            self._quiet.warn("stop", f"the service asked to stop sending: {control.stop_sending.reason}")
            self.on_refused()

    def on_unmeasured(self) -> None:
        self._encoder.snapshots_on = False

    def on_refused(self) -> None:
        self.wanted = False
        self.items.clear()
        self._journal.discard()
        self._sender.stop()
        self._wake.set()

    # The threads.

    def _encode(self) -> None:
        while self.wanted:
            ending = self._end is not None
            try:
                self._encoder.drain()
                if ending and self._end is not None:
                    self._encoder.end(*self._end, self.behind.take())
                    self._sender.finish()
                    return
                if self._sender.connected and time.monotonic() - self._encoder.last_record_at > HEARTBEAT_S:
                    self._encoder.heartbeat(self._spool.bytes)
            except Exception as error:
                self._quiet.trouble("encoding", error)
                if ending:
                    self._sender.finish()
                    return
            self._wake.wait(FLUSH_S if self._sender.connected else FLUSH_AWAY_S)
            self._wake.clear()
        self.items.clear()

    def _send(self) -> None:
        try:
            self._sender.run()
        finally:
            self._spool.close()
            lifecycle.forget(self)
