"""Sends what earlier jobs on this machine could not deliver."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Optional

from .events import SenderEvents
from .quiet import Quiet
from .run_secrets import RunSecrets
from .sender import Sender
from .undelivered import discard, list_jobs, open_job

# Nothing of a job was taken for so long: the service is away, or does not want it.
PATIENCE_S = 15.0


class _Listener(SenderEvents):
    """Of a job that is over only a refusal matters."""

    refused = False

    def on_refused(self) -> None:
        self.refused = True


def deliver(job: Dict[str, Any], address: str, token: Optional[str], quiet: Quiet, secrets: RunSecrets) -> bool:
    """Sends one job and removes its folder; False when not all of it could be sent. A process at a time has a folder."""
    with _claimed(job["folder"]) as mine:
        if not mine or not os.path.exists(os.path.join(job["folder"], "job.json")):
            return False
        stored = open_job(job)
        listener = _Listener()
        identity: Any = stored.identity
        subject: Any = stored.subject
        sender = Sender(address, token, identity, subject, stored.journal, stored.snapshots, quiet, listener, secrets)
        uploading = threading.Thread(target=sender.uploader.run, name="stagewatch-sync-uploader", daemon=True)
        sending = threading.Thread(target=sender.run, name="stagewatch-sync-sender", daemon=True)
        sender.finish()
        uploading.start()
        sending.start()
        _wait(sender, lambda: (stored.journal.acknowledged, len(stored.snapshots), sender.attached is not None))
        sender.stop()
        sending.join(5.0)
        whole = not listener.refused and stored.journal.pending == 0 and len(stored.snapshots) == 0
        if whole:
            discard(job)
        return whole


def _wait(sender: Sender, progress: Callable[[], Any]) -> None:
    seen, since = progress(), time.monotonic()
    while not sender.done.wait(0.1):
        now = progress()
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE_S:
            return


def deliver_all(folder: str, address: str, token: Optional[str], quiet: Quiet, secrets: RunSecrets) -> None:
    """What is kept for this address, oldest first, until something does not get through."""
    for job in list_jobs(folder):
        try:
            if job["address"] == address and not deliver(job, address, token, quiet, secrets):
                return
        except (OSError, ValueError, KeyError, TypeError) as error:
            quiet.warn(f"undelivered:{job['id']}", f"what an earlier job left in {job['folder']} cannot be sent: {error}")


@contextmanager
def _claimed(folder: str) -> Iterator[bool]:
    try:
        import fcntl
    except ImportError:
        # Without such locks two processes may send the same, which is stored once.
        yield True
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)
