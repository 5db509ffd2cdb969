"""One blob in chunks: begins where the service says, each chunk and the whole with a CRC-32 (zlib)."""

from __future__ import annotations

import queue
import zlib
from typing import Any, Iterator, List, Optional

from ._grpc import grpc
from .errors import Weather, classify
from .wire import IngestClient, UploadBlobRequest, chunk_request

CHUNK_BYTES = 1024 * 1024
# An upload that is slower than this is taken for dead.
_SLOWEST_BYTES_PER_S = 256 * 1024
_PATIENCE_S = 30.0


def upload_blob(client: IngestClient, header: Any, data: memoryview, chunk_bytes: int = CHUNK_BYTES) -> str:
    """Uploads `data` and returns the name that the service gave it. Raises `Weather` or `Refused`."""
    begin: "queue.SimpleQueue[Optional[int]]" = queue.SimpleQueue()
    call = client.upload_blob(_requests(header, data, begin, chunk_bytes), _PATIENCE_S + len(data) / _SLOWEST_BYTES_PER_S)
    started = False
    try:
        for answer in call:
            if answer.blob:
                return str(answer.blob)
            if not started:
                started = True
                begin.put(int(answer.durable_bytes))
        raise Weather("the upload ended without a name for the blob")
    except grpc.RpcError as error:
        raise classify(error) from None
    finally:
        begin.put(None)
        call.cancel()


def _requests(header: Any, data: memoryview, begin: "queue.SimpleQueue[Optional[int]]", chunk_bytes: int) -> Iterator[Any]:
    yield UploadBlobRequest(header=header)
    offset = begin.get()
    if offset is None or offset > len(data):
        return
    whole = zlib.crc32(data[:offset])
    join = CrcJoin(chunk_bytes)
    while offset < len(data):
        chunk = data[offset : offset + chunk_bytes]
        crc = zlib.crc32(chunk)
        yield chunk_request(offset, crc, chunk)
        whole = join.append(whole, crc) if len(chunk) == chunk_bytes else zlib.crc32(chunk, whole)
        offset += len(chunk)
    end = UploadBlobRequest()
    end.end.crc32 = whole
    yield end


class CrcJoin:
    """CRC-32 of two pieces from the CRCs of each, for second pieces of one fixed length.

    Appending n zero bytes to a message is a linear map of its CRC over GF(2); the CRC of a concatenation is that map of
    the first CRC, plus the second. So each byte is summed once, and not once for its chunk and once for the whole.
    """

    def __init__(self, length: int) -> None:
        # One zero bit: a shift, and the polynomial where a bit falls out.
        power = [0xEDB88320] + [1 << bit for bit in range(31)]
        self._columns = [1 << bit for bit in range(32)]
        bits = length * 8
        while bits:
            if bits & 1:
                self._columns = [_times(power, column) for column in self._columns]
            power = [_times(power, column) for column in power]
            bits >>= 1

    def append(self, first: int, second: int) -> int:
        return _times(self._columns, first) ^ second


def _times(columns: List[int], vector: int) -> int:
    total = 0
    for column in columns:
        if not vector:
            break
        if vector & 1:
            total ^= column
        vector >>= 1
    return total
