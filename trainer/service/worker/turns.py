"""Whose turn it is on the device, among the structures that a worker trains."""

from collections.abc import Mapping, Sequence

from .hands import Stack, least_served


class Turns:
    """Chooses a stack; `used` are the device seconds of the last hour, by user."""

    def __init__(self) -> None:
        self.used: Mapping[str, float] = {}

    def __call__(self, stacks: Sequence[Stack]) -> Stack:
        """The stack whose turn it is."""
        return least_served(stacks)
