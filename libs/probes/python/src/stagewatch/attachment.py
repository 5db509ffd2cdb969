"""Attaching to the service: a new run, or one that this job takes up again, with the secret that lets it."""

from __future__ import annotations

import time
from typing import Optional

from ._grpc import grpc
from .errors import Refused, Weather, classify
from .identity import Attached, Identity
from .quiet import Quiet
from .run_secrets import RunSecrets
from .wire import IngestClient

CALL_TIMEOUT_S = 10.0
# A run that should count as lost by now may do so a little later: the service looks now and then.
TAKEN_GRACE_S = 30.0


class Attachment:
    """What stands between a job and its run."""

    def __init__(self, identity: Identity, quiet: Quiet, secrets: RunSecrets) -> None:
        self._identity = identity
        self._quiet = quiet
        self._secrets = secrets
        #: Until when a run that is taken is waited for; known from the first refusal on.
        self._taken_until: Optional[float] = None
        #: The service gave the run, or said that it is still somebody's.
        self.answered = False

    def attach(self, client: IngestClient) -> Attached:
        """Raises what is to be waited for as `Weather`, and what will stay so as `Refused`."""
        request = self._identity.request()
        request.run_secret = self._secrets.shown(self._identity.resume)
        try:
            response = client.attach_run(request, CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            failure = classify(error)
            if self._identity.resume and self._in_vain(failure):
                self._quiet.warn("resume", f"the run {self._identity.resume} cannot be resumed ({failure}); a new run begins")
                self._identity.resume, self._identity.join_attempt = None, None
                raise Weather("resume refused") from None
            raise failure from None
        self.answered = True
        if response.run_secret:
            self._keep(response.run_id, response.run_secret)
        return Attached.of(response)

    def _in_vain(self, failure: Exception) -> bool:
        """True when the run that is to be resumed will not be given. One whose job is dead soon counts as lost, and is."""
        if isinstance(failure, Refused):
            return failure.refusal.code in ("UNKNOWN_RUN", "UNKNOWN_ATTEMPT")
        if not isinstance(failure, Weather) or failure.code != "RUN_TAKEN":
            return False
        self.answered = True
        if self._taken_until is None:
            self._taken_until = time.monotonic() + failure.retry_after_s + TAKEN_GRACE_S
        if time.monotonic() >= self._taken_until:
            return True
        self._quiet.warn("taken", f"the run {self._identity.resume} cannot be resumed yet ({failure}); training goes on, what is "
                                  "measured is kept within bounds")
        return False

    def _keep(self, run_id: str, secret: str) -> None:
        try:
            self._secrets.keep(run_id, secret)
        except OSError as error:
            self._quiet.warn("secret", f"the secret of this run could not be kept ({error}); a restart of this job may have to "
                                       "wait until the run counts as lost")
