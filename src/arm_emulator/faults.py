"""Faults on request: what a call meets instead of, before or after its proper answer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arm_emulator.protocol.http import Request
    from arm_emulator.protocol.operations import Operation


class Faults:
    """The faults in force."""

    def bend(self, operation: "Operation", request: "Request") -> None:
        """Make an operation that is being started fail, be cancelled or hang, where a fault says so."""
