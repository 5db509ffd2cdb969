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
from .cadence import Cadence, Wish
from .encoder import Encoder, Item, new_queue
from .identity import Attached, Identity, Subject, Unmeasured
from .journal import Journal
from .losses import Losses
from .quiet import Quiet
from .run_secrets import RunSecrets
from .sender import Sender
from .snapshot_queue import SnapshotQueue
from .spool import Spool
from .undelivered import job_of, keep, list_jobs
from .uploader import withdraw

MIB = 1024 * 1024
# How long a number may wait for company. Longer while nobody listens: fewer, larger records.
FLUSH_S = 0.2
FLUSH_AWAY_S = 1.0
HEARTBEAT_S = 10.0
# What ending threads are waited for before the rest is written to disk.
STOPPING_S = 2.0
# What the end of a job waits for a service that has not answered it yet.
UNANSWERED_S = 2.0
# Of the longest wait, for numbers and the end when snapshots have taken the rest of it.
LAST_WORDS_SHARE = 0.2


@dataclass(frozen=True)
class Settings:
    """Where to send, and the bounds."""

    address: str
    token: Optional[str] = None
    spool_folder: Optional[str] = None
    spool_bytes: int = 1024 * MIB
    undelivered_folder: str = ""
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
        self._identity = identity
        self._abandoned = False
        self.items: Deque[Item] = new_queue()
        self._losses = Losses()
        #: What the training thread left out; it goes into the queue, so that its gap comes in the order of steps.
        self.behind = Losses()
        self._spool = Spool(settings.spool_bytes, settings.spool_folder)
        self._journal = Journal(self._spool)
        self._snapshots = SnapshotQueue(self._spool, settings.spool_bytes)
        self._encoder = Encoder(self.items, self._journal, self._snapshots, self._losses, quiet, identity.first_step)
        self._secrets = secrets = RunSecrets(settings.secret_folder, settings.run_secret)
        self._sender = Sender(settings.address, settings.token, identity, subject, self._journal, self._snapshots, quiet,
                              self, secrets)
        self._wake = threading.Event()
        self._end: Optional[tuple[str, str]] = None
        #: False once nothing is wanted any more: the training loop stops handing things over.
        self.wanted = True
        self._encoder_thread = threading.Thread(target=self._encode, name="stagewatch-encoder", daemon=True)
        self._sender_thread = threading.Thread(target=self._send, name="stagewatch-sender", daemon=True)
        # From the start on: an interpreter that ends gives no new thread.
        self._uploader_thread = threading.Thread(target=self._sender.uploader.run, name="stagewatch-uploader", daemon=True)

    def start(self) -> None:
        self._encoder_thread.start()
        self._sender_thread.start()
        self._uploader_thread.start()

    @property
    def snapshots_wanted(self) -> bool:
        return self.wanted and self._encoder.snapshots_on

    @property
    def snapshots_waiting(self) -> int:
        """On their way to a service that is there."""
        return len(self._snapshots) if self._sender.connected else 0

    @property
    def attached(self) -> Optional[Attached]:
        return self._sender.attached

    def unmeasured(self, reason: str) -> None:
        """From now on there is no network that could be measured, for this reason; scalars are still sent."""
        self._encoder.snapshots_on = False
        self._quiet.warn("unmeasured", f"the network cannot be measured, scalars are still sent: {reason}")
        self._sender.uploader.describe_last(Unmeasured(reason))

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
        """Waits until everything is durable; True when every number and the end are.

        A service that knows of this job is waited for longer. Snapshots that are still on their way towards the end of the
        wait are left out, and that is said.
        """
        done, until = self._sender.done, time.monotonic() + self._settings.drain_s
        first = min(UNANSWERED_S, self._settings.drain_s)
        if not done.wait(first) and self._sender.answered:
            last_words = LAST_WORDS_SHARE * self._settings.drain_s
            if not done.wait(until - time.monotonic() - last_words) and self._sender.connected:
                self._leave_snapshots("end")
                done.wait(max(0.0, until - time.monotonic()))
        return self.delivered

    @property
    def delivered(self) -> bool:
        """Every number that was handed over is durable, and so is the end."""
        left_out = self._losses.points + self.behind.points
        return self.wanted and self._sender.done.is_set() and self._journal.pending == 0 and left_out == 0

    def _leave_snapshots(self, reason: str) -> None:
        gone = self._snapshots.clear()
        self._losses.snapshots += len(gone)
        withdraw(self._journal, gone, reason)

    def abandon(self) -> None:
        """Ends now; what is left is kept on disk for the next probe on this machine."""
        self._abandoned = True
        self._sender.stop()
        if self.wanted and self._journal.pending + len(self._snapshots) > 0:
            self._keep_rest()
        self.wanted = False
        self._close()

    def _keep_rest(self) -> None:
        self._encoder_thread.join(STOPPING_S)
        self._sender_thread.join(STOPPING_S)
        self._leave_undescribed()
        left = self._journal.pending
        try:
            job = job_of(self._settings.address, self._identity, self._sender)
            folder = keep(self._settings.undelivered_folder, job, self._journal, self._snapshots, self._settings.spool_bytes)
        except Exception as error:
            self._quiet.warn("left", f"{left} records could not be delivered to {self._settings.address} before the end, nor kept "
                                     f"on disk ({type(error).__name__}: {error})")
            return
        self._quiet.warn("left", f"{left} records could not be delivered to {self._settings.address} before the end; they are kept in "
                                 f"{folder} and are sent by the next job here that attaches, or by `python -m stagewatch sync`")

    def _leave_undescribed(self) -> None:
        """Snapshots of a network that the service was not told of would later be taken for those of another one."""
        described = self._sender.uploader.described
        gone = [queued for queued in self._snapshots.waiting if queued.item.subject not in (None, described)]
        for queued in gone:
            self._snapshots.done(queued)
        withdraw(self._journal, gone, "end")

    def _close(self) -> None:
        self._spool.close()
        lifecycle.forget(self)

    def status(self) -> dict[str, Any]:
        return {
            "connected": self._sender.connected,
            "queued_points": len(self.items),
            "queued_records": self._journal.pending,
            "queued_snapshots": len(self._snapshots),
            "acknowledged_records": self._journal.acknowledged,
            "spooled_bytes": self._spool.bytes,
            "lost_points": self._losses.points + self.behind.points,
            "lost_snapshots": self._losses.snapshots + self.behind.snapshots,
            "warnings": self._quiet.warnings,
        }

    # What the sender tells.

    def on_attached(self, attached: Attached) -> None:
        self._encoder.names.limit = attached.metrics_per_run or self._encoder.names.limit
        self._deliver_earlier()
        if attached.page_url and not self._settings.quiet:
            try:
                print(f"stagewatch: watching this run at {attached.page_url}", file=sys.stderr, flush=True)
            except Exception:
                pass

    def _deliver_earlier(self) -> None:
        """The service is there: what earlier jobs on this machine could not deliver goes to it now, beside this one."""
        from .delivery import deliver_all

        settings = self._settings
        if not list_jobs(settings.undelivered_folder):
            return
        arguments = (settings.undelivered_folder, settings.address, settings.token, self._quiet, self._secrets)
        try:
            threading.Thread(target=deliver_all, args=arguments, name="stagewatch-sync", daemon=True).start()
        except RuntimeError:
            # The interpreter is ending: the next one then.
            pass

    def on_control(self, control: Any) -> None:
        wish = control.WhichOneof("wish")
        if wish == "snapshot_now":
            self._cadence.ask()
        elif wish == "cadence":
            self._cadence.change(Wish.of(control.cadence))
        elif wish == "stop_sending":
            self._quiet.warn("stop", f"the service asked to stop sending: {control.stop_sending.reason}")
            self.on_refused()

    def on_unmeasured(self) -> None:
        self._encoder.snapshots_on = False
        self._leave_snapshots("refused")

    def on_names_refused(self, record: Any) -> Any:
        return self._encoder.without_new_names(record)

    def on_record_refused(self, points: int) -> None:
        self._losses.points += points

    def on_refused(self) -> None:
        self.wanted = False
        self.items.clear()
        self._journal.discard()
        self._snapshots.clear()
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
            # Whoever abandons it has not done with what is spooled.
            if not self._abandoned:
                self._close()
