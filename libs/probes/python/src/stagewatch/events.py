"""What the sender tells the rest of the probe."""

from __future__ import annotations

from typing import Any, Protocol

from .identity import Attached


class SenderEvents(Protocol):
    """Called by the sender's threads."""

    def on_attached(self, attached: Attached) -> None: ...

    def on_control(self, control: Any) -> None: ...

    def on_unmeasured(self) -> None:
        """The network was refused; scalars go on."""

    def on_names_refused(self, record: Any) -> Any:
        """A record has more names than the service has places for: the same record with fewer, or None."""

    def on_record_refused(self, points: int) -> None:
        """A record with so many points was refused for good."""

    def on_refused(self) -> None:
        """The run was refused; nothing goes on."""
