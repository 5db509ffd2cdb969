"""Which names of numbers a run may use: the service takes so many different ones, and the core ones have their places."""

from __future__ import annotations

import re
from typing import Dict

from .quiet import Quiet

NAME_BYTES = 200
# What the service takes where it does not say.
DEFAULT_LIMIT = 2000
# Places that are kept for the core names, whatever else was logged first.
CORE_PLACES = 64

_CORE = re.compile(r"(loss|accuracy|gradient|sharpness|update|weight)\.|(lr|momentum|weight_decay|batch_size)\Z")


class Names:
    """Used by the encoder's thread; `close` and `of` also by the sender's."""

    def __init__(self, quiet: Quiet) -> None:
        self._quiet = quiet
        #: The sequence of the first record that each name is in.
        self._first: Dict[str, int] = {}
        self._others = 0
        self._closed = False
        self.limit = DEFAULT_LIMIT

    def refusal(self, name: str, sequence: int) -> str:
        """Why a point of this name has no place in the record of this sequence: `encode`, `names`, or empty when it has one."""
        if name in self._first:
            return ""
        if not is_name(name):
            self._quiet.warn(
                f"name:{name[:40]!r}",
                f"the name {name[:40]!r} is left out: a name has 1 to {NAME_BYTES} bytes and no control characters",
            )
            return "encode"
        is_core = _CORE.match(name) is not None
        if not is_core and (self._closed or self._others >= max(1, self.limit - CORE_PLACES)):
            self._quiet.warn(
                "names",
                f"a run has {self.limit} different names at most: {name[:40]!r} and those that come after it are left out "
                "(log fewer, or raise STAGEWATCH_MAX_METRICS_PER_RUN on the service)",
            )
            return "names"
        self._first[name] = sequence
        self._others += 0 if is_core else 1
        return ""

    def close(self) -> None:
        """The service has no place for further names, core ones aside."""
        self._closed = True

    def kept(self, name: str, sequence: int) -> bool:
        """Whether a point stays in a record that was refused for its names: those of earlier records have their places."""
        return self._first.get(name, sequence) < sequence or _CORE.match(name) is not None


def is_name(name: str) -> bool:
    """What the service takes for a name: one bad name would cost the whole record."""
    try:
        return 0 < len(name.encode("utf-8")) <= NAME_BYTES and not any(c < " " or c == "\x7f" for c in name)
    except UnicodeEncodeError:
        return False
