"""Why the queue doesn't take something, besides that it is impossible."""

from ....kernels.common.errors import UserError


class Conflict(UserError):
    """Something else stands where this would go."""


class Busy(UserError):
    """Not now: the same may be asked again after `retry_after` seconds."""

    def __init__(self, sentence: str, retry_after: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Full(UserError):
    """The disk has no room, so nothing was acknowledged; what is there can still be read."""

    def __init__(self) -> None:
        super().__init__("the service's disk is full: nothing was taken; make room on it")
