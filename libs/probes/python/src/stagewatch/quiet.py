"""Trouble of the probe is said once, through logging, and never reaches the training loop."""

from __future__ import annotations

import logging
import threading
from typing import Set

logger = logging.getLogger("stagewatch")


class Quiet:
    """Says each kind of trouble once, and counts the rest."""

    def __init__(self) -> None:
        self._said: Set[str] = set()
        self._lock = threading.Lock()
        self.warnings = 0

    def warn(self, kind: str, message: str) -> None:
        try:
            with self._lock:
                self.warnings += 1
                if kind in self._said:
                    return
                self._said.add(kind)
            logger.warning("stagewatch: %s", message)
        except Exception:  # a broken logging handler is no reason to stop either
            pass

    def trouble(self, where: str, error: BaseException) -> None:
        """Something that the probe itself did not expect."""
        self.warn(f"trouble:{where}:{type(error).__name__}", f"{where}: {type(error).__name__}: {error} (training goes on)")
