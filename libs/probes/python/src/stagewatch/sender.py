"""Carries the journal to the service: attach, describe, upload, stream; again after every interruption."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Optional, Union

import grpc

from .attachment import Attachment
from .errors import Refused, Weather, classify
from .events import SenderEvents
from .identity import Attached, Identity, Subject, Unmeasured
from .journal import Entry, Journal
from .quiet import Quiet
from .records import fill_gap, fill_snapshot, now_ms
from .run_secrets import RunSecrets
from .stream import RecordStream, make_hello
from .uploads import CHUNK_BYTES, upload_blob
from .wire import (BLOB_KIND_ARTIFACT, BLOB_KIND_SNAPSHOT, DescribeModelRequest, IngestClient, Record, UploadBlobRequest,
                   batch_request)

DESCRIBE_TIMEOUT_S = 120.0
WELCOME_TIMEOUT_S = 10.0
# Nothing acknowledged for so long although something is under way: the connection is taken for dead.
ACKNOWLEDGE_TIMEOUT_S = 30.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0
LINGER_S = 2.0
BATCH_RECORDS = 256
BATCH_BYTES = 512 * 1024
TRIES = 5

# Refusals after which nothing of this run will ever be taken.
_FATAL = frozenset({"UNKNOWN_RUN", "UNKNOWN_ATTEMPT", "FORBIDDEN", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED",
                    "NOT_FOUND"})


class Sender:
    """Runs in one thread. Everything that it meets is either waited for or said once."""

    def __init__(self, address: str, token: Optional[str], identity: Identity, subject: Union[Subject, Unmeasured, None], journal: Journal,
                 quiet: Quiet, events: SenderEvents, secrets: RunSecrets) -> None:
        self._address = address
        self._token = token
        self._identity = identity
        self._subject = subject
        self._journal = journal
        self._quiet = quiet
        self._events = events
        self._attachment = Attachment(identity, quiet, secrets)
        self._stopping = False
        self._hurry = threading.Event()
        self._pauses = 0
        self._tries = 0
        #: After a refusal records go one by one up to here, so that the next refusal names its record.
        self._single_until = 0
        self._measured = True
        self._unmeasured: Optional[Unmeasured] = None
        #: The newest description that a snapshot asked for.
        self._described: Optional[Subject] = None
        self.attached: Optional[Attached] = None
        self.connected = False
        self.finishing = False
        self.done = threading.Event()

    @property
    def answered(self) -> bool:
        """The service was there and knows of this job, whether or not it has a stream of it."""
        return self._attachment.answered

    def finish(self) -> None:
        """The journal is complete: end once it is empty."""
        self.finishing = True
        self._hurry.set()
        self._journal.wake()

    def stop(self) -> None:
        """End now."""
        self._stopping = True
        self._hurry.set()
        self._journal.wake()

    def run(self) -> None:
        """The thread's body."""
        try:
            while not self._stopping and not self._one_session():
                pass
        except Exception as error:
            self._quiet.trouble("the sender", error)
        finally:
            self.done.set()
            self._journal.wake()

    def _one_session(self) -> bool:
        """One connection's life; True when there is nothing more to do."""
        client: Optional[IngestClient] = None
        try:
            client = IngestClient(self._address, self._token)
            self._attach(client)
            self._describe(client)
            self._stream(client)
            return True
        except Weather as weather:
            self._pause(str(weather), weather.retry_after_s, said=weather.code == "RUN_TAKEN")
        except Refused as refused:
            return self._refused(refused)
        except grpc.RpcError as error:
            self._pause(str(error), 0.0)
        except Exception as error:
            self._quiet.trouble("sending", error)
            self._pause(str(error), 0.0)
        finally:
            self.connected = False
            if client is not None:
                client.close()
        return False

    def _pause(self, reason: str, retry_after_s: float, said: bool = False) -> None:
        """Exponential back-off with full jitter on its upper half; short once the job has ended."""
        if not said:
            self._quiet.warn(
                "away",
                f"no connection to the service at {self._address} ({reason.splitlines()[0][:200] if reason else 'no answer'}); "
                "training goes on, what is measured is kept within bounds and sent when the service is there",
            )
        longest = 0.5 if self.finishing else LONGEST_PAUSE_S
        pause = min(longest, max(retry_after_s, FIRST_PAUSE_S * 2.0 ** min(self._pauses, 10)))
        self._pauses += 1
        self._hurry.wait(pause * random.uniform(0.5, 1.0))
        self._hurry.clear()

    def _attach(self, client: IngestClient) -> None:
        if self.attached is None:
            self.attached = self._attachment.attach(client)
            self._events.on_attached(self.attached)

    def unmeasured(self, unmeasured: Unmeasured) -> None:
        """There is no network any more. It is said behind the snapshots that there still are."""
        self._unmeasured = unmeasured
        self._journal.wake()

    def _describe(self, client: IngestClient) -> None:
        """Says which network is trained; uploads what the service has not seen. A refusal leaves scalars, and its reason is said."""
        subject = self._subject
        if subject is None:
            return
        try:
            for _ in range(TRIES):
                missing = self._ask_description(client, subject)
                if not missing:
                    if self._subject is subject:
                        self._subject = None
                    return
                artifacts = subject.artifacts()
                for digest in missing:
                    self._upload(client, BLOB_KIND_ARTIFACT, digest, memoryview(artifacts[digest]))
            raise Weather("the service keeps asking for the same artifacts")
        except Refused as refused:
            if refused.refusal.code in _FATAL:
                raise
            self._measured = False
            self._events.on_unmeasured()
            if isinstance(subject, Unmeasured):
                # A service that knows no reasons.
                self._subject = None
                return
            self._quiet.warn("unmeasured", f"the network cannot be measured, scalars are still sent: {refused}")
            self._subject = Unmeasured(f"the network was refused: {refused}")
            self._describe(client)

    def _ask_description(self, client: IngestClient, subject: Union[Subject, Unmeasured]) -> Any:
        attached = self._known()
        request = DescribeModelRequest(run_id=attached.run_id, attempt=attached.attempt,
                                       instance_id=self._identity.instance_id, model=subject.description())
        try:
            return client.describe_model(request, DESCRIBE_TIMEOUT_S).missing_digests
        except grpc.RpcError as error:
            raise classify(error) from None

    def _upload(self, client: IngestClient, kind: int, key: str, data: memoryview) -> str:
        attached = self._known()
        header = UploadBlobRequest().header
        header.run_id, header.attempt, header.instance_id = attached.run_id, attached.attempt, self._identity.instance_id
        header.kind, header.key, header.total_bytes = kind, key, len(data)
        return upload_blob(client, header, data, min(CHUNK_BYTES, attached.chunk_bytes or CHUNK_BYTES))

    def _stream(self, client: IngestClient) -> None:
        attached = self._known()
        hello = make_hello(attached.run_id, attached.attempt, self._identity.rank, self._identity.instance_id)
        stream = RecordStream(client, hello, self._journal, self._events.on_control)
        try:
            self._journal.wait(lambda: stream.next_sequence is not None or stream.failure or self._stopping, WELCOME_TIMEOUT_S)
            if stream.failure is not None:
                raise stream.failure
            if stream.next_sequence is None:
                raise Weather("no welcome from the service")
            self._journal.rewind(stream.next_sequence)
            self.connected = True
            self._pauses = 0
            self._pump(client, stream)
        finally:
            stream.close(LINGER_S if self._journal.pending == 0 and not self._stopping else 0.0)

    def _pump(self, client: IngestClient, stream: RecordStream) -> None:
        journal = self._journal
        while not self._stopping:
            if stream.failure is not None:
                raise stream.failure
            if self.finishing and journal.pending == 0 and self._unmeasured is None:
                return
            entry = journal.head()
            if entry is None and self._unmeasured is not None:
                self._subject, self._unmeasured, self._measured = self._unmeasured, None, False
            self._describe(client)
            if entry is not None and entry.snapshot is not None:
                self._send_snapshot(client, entry)
            elif entry is not None and self._may_send(entry, stream):
                self._send_records(stream)
            else:
                self._wait_for_change(stream)

    def _may_send(self, entry: Entry, stream: RecordStream) -> bool:
        in_flight = self._journal.in_flight_bytes
        if in_flight == 0:
            # One record at least, whatever the credit says: else a window smaller than a record would be a deadlock.
            return True
        return entry.sequence > self._single_until and in_flight + entry.bytes <= stream.credit_bytes

    def _send_records(self, stream: RecordStream) -> None:
        journal = self._journal
        head = journal.head()
        alone = head is None or head.sequence <= self._single_until
        credit = stream.credit_bytes - journal.in_flight_bytes
        entries = journal.heads(1 if alone else BATCH_RECORDS, max(1, min(BATCH_BYTES, credit)))
        payloads = [journal.payload(entry) for entry in entries]
        journal.sent(entries, [len(payload) for payload in payloads])
        stream.send(batch_request(payloads))

    def _wait_for_change(self, stream: RecordStream) -> None:
        journal = self._journal
        mark = (journal.next_sequence, journal.acknowledged, stream.credit_bytes)
        journal.wait(
            lambda: self._stopping or stream.failure or (self.finishing and journal.pending == 0)
            or mark != (journal.next_sequence, journal.acknowledged, stream.credit_bytes),
            1.0,
        )
        if journal.in_flight_bytes and time.monotonic() - journal.progress_at > ACKNOWLEDGE_TIMEOUT_S:
            raise Weather(f"no acknowledgement for {ACKNOWLEDGE_TIMEOUT_S:.0f} s")

    def _send_snapshot(self, client: IngestClient, entry: Entry) -> None:
        """Uploads the blob and puts the finished record in the entry's place; the pump then sends it."""
        item = entry.snapshot
        assert item is not None
        record = Record(sequence=entry.sequence, step=entry.step, client_time_ms=item.time_ms)
        if item.subject is not None and item.subject is not self._described and self._measured:
            self._subject = self._described = item.subject
            self._describe(client)
        try:
            if not self._measured:
                raise ValueError("the network is not measured")
            data = self._journal.snapshot_bytes(entry)
            blob = self._upload(client, BLOB_KIND_SNAPSHOT, f"step-{item.step}-{entry.sequence}", data)
            fill_snapshot(record.snapshot, blob, item)
            self._tries = 0
        except (Refused, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: the interpreter is ending and gives the transport no new thread; the stream still goes on.
            if isinstance(error, Refused) and error.refusal.code in _FATAL:
                raise
            self._quiet.warn("upload", f"a snapshot was not taken by the service: {error}")
            fill_gap(record.gap, "upload", 0, 1, entry.step, entry.step)
        except Weather as weather:
            self._tries += 1
            if self._tries < TRIES or weather.code in ("UNAVAILABLE", "STORAGE_FULL"):
                raise
            self._tries = 0
            self._quiet.warn("upload", f"a snapshot could not be uploaded: {weather}")
            fill_gap(record.gap, "upload", 0, 1, entry.step, entry.step)
        self._journal.replace(entry, record.SerializeToString())

    def _refused(self, refused: Refused) -> bool:
        """The service refused the run, or one record; True when the run is over for it."""
        code = refused.refusal.code
        if self.attached is None or code in _FATAL:
            self._quiet.warn("refused", f"the service does not take this run, training goes on unwatched: {refused}")
            self._events.on_refused()
            return True
        suspects = self._journal.in_flight
        self._quiet.warn(f"record:{code}", f"the service refused a record: {refused}")
        if code == "SEQUENCE_BACKWARDS" or not suspects:
            # The welcome of the next stream says where to go on.
            self._pause(str(refused), 0.0)
        elif len(suspects) > 1:
            self._single_until = suspects[-1].sequence
        else:
            self._journal.rewind(suspects[0].sequence)
            self._replace_refused(suspects[0])
        return False

    def _replace_refused(self, entry: Entry) -> None:
        record = Record(sequence=entry.sequence, step=entry.step, client_time_ms=now_ms())
        fill_gap(record.gap, "refused", entry.points, entry.snapshots, entry.first_step, entry.step)
        self._journal.replace(entry, record.SerializeToString())

    def _known(self) -> Attached:
        assert self.attached is not None
        return self.attached

