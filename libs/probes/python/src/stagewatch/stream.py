"""The long stream of one connection: batches up; welcome, acknowledgements and wishes down."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Optional

from ._grpc import grpc
from .errors import Weather, classify
from .journal import Journal
from .wire import IngestClient, StreamHello, StreamRecordsRequest


class RecordStream:
    """Opens the stream and reads its answers in a thread of its own until it breaks."""

    def __init__(self, client: IngestClient, hello: Any, journal: Journal, on_control: Callable[[Any], None]) -> None:
        self._journal = journal
        self._on_control = on_control
        self._outgoing: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._outgoing.put(StreamRecordsRequest(hello=hello))
        self._call = client.stream_records(iter(self._outgoing.get, None))
        self.failure: Optional[Exception] = None
        self.next_sequence: Optional[int] = None
        self.credit_bytes = 0
        self._reader = threading.Thread(target=self._read, name="stagewatch-reader", daemon=True)
        self._reader.start()

    def send(self, message: bytes) -> None:
        self._outgoing.put(message)

    def close(self, linger_s: float = 0.0) -> None:
        """Ends the upward half; the service may take `linger_s` to end its own."""
        self._outgoing.put(None)
        if linger_s > 0:
            self._reader.join(linger_s)
        self._call.cancel()

    def _read(self) -> None:
        try:
            for answer in self._call:
                self._take(answer)
            self.failure = Weather("the service ended the stream")
        except grpc.RpcError as error:
            self.failure = classify(error)
        except Exception as error:
            self.failure = error
        finally:
            self._outgoing.put(None)
            self._journal.wake()

    def _take(self, answer: Any) -> None:
        part = answer.WhichOneof("part")
        if part == "welcome":
            self.credit_bytes = answer.welcome.credit_bytes
            self.next_sequence = answer.welcome.next_sequence
            self._journal.wake()
        elif part == "acknowledgement":
            self.credit_bytes = answer.acknowledgement.credit_bytes
            self._journal.acknowledge(answer.acknowledgement.sequence)
        elif part == "control":
            self._on_control(answer.control)


def make_hello(run_id: str, attempt: int, rank: int, instance_id: str) -> Any:
    return StreamHello(run_id=run_id, attempt=attempt, rank=rank, instance_id=instance_id)
