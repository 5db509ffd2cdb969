"""What a live run is taken up with, kept for the next process of the same job: one file a run, for its user alone."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Optional

# The folder of the Node probe too.
DEFAULT_FOLDER = os.path.join("~", ".local", "state", "stagewatch", "run-secrets")
# Ids of runs sort by time: the oldest files go first.
MOST_FILES = 1000

# What becomes the name of a file; and what is a secret, so that a damaged file is none.
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,128}\Z")


class RunSecrets:
    """`given` is a secret that the job brings itself, for processes that share no folder."""

    def __init__(self, folder: Optional[str] = None, given: Optional[str] = None) -> None:
        self._folder = os.path.expanduser(folder or DEFAULT_FOLDER)
        self._given = given or ""

    def shown(self, resume: Optional[str]) -> str:
        """What to attach with; empty when there is none."""
        if self._given or not resume or not _RUN_ID.match(resume):
            return self._given
        try:
            with open(os.path.join(self._folder, resume), encoding="ascii") as file:
                secret = file.read(256)
        except (OSError, UnicodeError):
            return ""
        return secret if _SECRET.match(secret) else ""

    def keep(self, run_id: str, secret: str) -> None:
        """Raises OSError where it cannot be kept."""
        if not _RUN_ID.match(run_id) or not _SECRET.match(secret):
            return
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        # Made readable by this user only, and there as a whole or not at all.
        handle, draft = tempfile.mkstemp(prefix=f"{run_id}.", dir=self._folder)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secret)
        os.replace(draft, os.path.join(self._folder, run_id))
        for name in sorted(os.listdir(self._folder))[:-MOST_FILES]:
            os.unlink(os.path.join(self._folder, name))
