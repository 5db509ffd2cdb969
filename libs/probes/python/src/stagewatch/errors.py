"""What the service's refusals mean to a probe: wait and try again, or say it once and go on without."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Optional

from ._grpc import grpc

# Refusals that pass by themselves, whatever their gRPC status says.
_PASSING_CODES = frozenset({"UNAVAILABLE", "STORAGE_FULL", "TOO_MANY_STREAMS", "IDENTITY_IN_USE", "CHECKSUM_MISMATCH",
                            "OFFSET_MISMATCH", "INTERNAL", "RUN_TAKEN"})
_LASTING_CODES = frozenset({"MESSAGE_TOO_LARGE", "BLOB_TOO_LARGE", "TOO_MANY_METRICS"})

# Refusals after which nothing of this run will ever be taken.
FATAL = frozenset({"UNKNOWN_RUN", "UNKNOWN_ATTEMPT", "FORBIDDEN", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED",
                   "NOT_FOUND"})

# Without the service's own code: what gRPC itself says when a call cannot succeed by repeating it.
_LASTING_STATUS = frozenset({
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
})

_WHAT_TO_DO = {
    "UNKNOWN_OP": "the network uses an operation that the service cannot differentiate yet",
    "UNSUPPORTED_MODEL": "check that the model is a function of one input tensor with one output",
    "PROBE_SET_MISMATCH": "check that train=(x, y) and val=(x, y) fit the model's output and the loss",
    "FORBIDDEN": "give token=… or set STAGEWATCH_TOKEN",
    "UNKNOWN_RUN": "the service does not know this run; was it deleted, or is the service on another data folder?",
    "RUN_TAKEN": "to take it up at once, give the job's processes the same STAGEWATCH_SECRET_FOLDER or STAGEWATCH_RUN_SECRET",
    "BLOB_TOO_LARGE": "raise STAGEWATCH_MAX_BLOB_BYTES on the service",
    "TOO_MANY_METRICS": "log fewer names, or raise STAGEWATCH_MAX_METRICS_PER_RUN on the service",
}


@dataclass(frozen=True)
class Refusal:
    """One refusal of the service, as data."""

    code: str
    message: str
    lasting: bool
    field: Optional[str] = None
    value: Optional[str] = None
    expected: Optional[str] = None
    retry_after_s: float = 0.0

    def describe(self) -> str:
        parts = [f"{self.code}: {self.message}"]
        if self.field:
            parts.append(f"field {self.field}")
        if self.value:
            parts.append(f"value {self.value}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.code in _WHAT_TO_DO:
            parts.append(_WHAT_TO_DO[self.code])
        return "; ".join(parts)


def _body_of(error: Any) -> Any:
    try:
        for key, value in error.trailing_metadata() or ():
            if key in ("stagewatch-error", "stagewatch-error-bin"):
                return json.loads(value)
    except Exception:
        return None
    return None


def read_refusal(error: grpc.RpcError) -> Refusal:
    """Reads the `stagewatch-error` trailer where there is one, and else the gRPC status."""
    call: Any = error
    status = call.code() if callable(getattr(call, "code", None)) else grpc.StatusCode.UNKNOWN
    text = call.details() if callable(getattr(call, "details", None)) else str(error)
    body = _body_of(call)
    if not isinstance(body, dict) or "code" not in body:
        return Refusal(code=status.name, message=str(text or ""), lasting=status in _LASTING_STATUS)
    code = str(body["code"])
    lasting = code in _LASTING_CODES or (status in _LASTING_STATUS and code not in _PASSING_CODES)

    def text_of(name: str) -> Optional[str]:
        return str(body[name]) if body.get(name) is not None else None

    retry_ms = body.get("retryAfterMs")
    return Refusal(
        code=code,
        message=str(body.get("message", text or "")),
        lasting=lasting,
        field=text_of("field"),
        value=text_of("value"),
        expected=text_of("expected"),
        retry_after_s=float(retry_ms) / 1000.0 if isinstance(retry_ms, (int, float)) else 0.0,
    )


class Weather(Exception):
    """The service is away or busy: the sender waits and begins again."""

    def __init__(self, reason: str, retry_after_s: float = 0.0, code: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The service will not take this however often it is sent."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.describe())
        self.refusal = refusal


def classify(error: grpc.RpcError) -> Exception:
    """An RpcError as one of the two things that a sender can do about it."""
    refusal = read_refusal(error)
    if refusal.lasting:
        return Refused(refusal)
    return Weather(refusal.describe(), refusal.retry_after_s, refusal.code)
