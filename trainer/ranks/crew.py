"""Who trains a pack together: the first rank says what is to be done, and all do it, itself too."""

import logging
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .group import Ranks
from .mail import FOREVER, RankGoneError, RankLostError, receive, send, silence

__all__ = ["Crew", "RankGoneError", "RankLostError", "follow"]
BEGIN, DONE, LEAVE = "begin", "done", "leave"
AGENT_GONE = "torchrun, which started this, is gone"


@dataclass(frozen=True)
class Order:
    """What a rank is to do: the `verb` names a method of its hand, `given` are the arguments."""

    verb: str
    given: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What a rank says to an order: a value, or an error; a signal that it got, and its log."""

    value: Any = None
    error: Exception | None = None
    received: signal.Signals | None = None
    log: list[logging.LogRecord] = field(default_factory=list)


class Crew:
    """The ranks, as the first of them has them: what it asks, and what they say.

    `hand` does what is asked of this rank. `hear` is called with the signals that other ranks get.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks, self.waited_for = ranks, False
        self.lost: RankLostError | None = None
        self.hand: Any = None
        self.hear: Callable[[signal.Signals], object] = lambda number: None
        self.parent = os.getppid()

    def begin(self, verb: str, *given: Any) -> None:
        """Has the other ranks do something; what they say to it is asked for by `replies`."""
        self._send(verb, [given] * self.ranks.size)

    def ask(self, verb: str, *given: Any) -> list[Any]:
        """Has every rank do the same; what each has to say, this one first. Raises what one of them does."""
        return self.ask_each(verb, [given] * self.ranks.size)

    def ask_each(self, verb: str, given: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Has every rank do a thing of its own. Raises what one of them does."""
        self._send(verb, given)
        own = _done(self.hand, Order(verb, given[0]))
        return [_value(reply) for reply in [own, *self._replies()]]

    def replies(self) -> list[Any]:
        """What the others say to what they were asked last. Raises what one of them does."""
        return [_value(reply) for reply in self._replies()]

    @property
    def trouble(self) -> str:
        """Why the training had better end, '' where all is well."""
        return AGENT_GONE if os.getppid() != self.parent else ""

    def leave(self) -> None:
        """Lets the others go: nothing is asked of them any more."""
        self._send(LEAVE, [()] * self.ranks.size)

    def _send(self, verb: str, given: Sequence[tuple[Any, ...]]) -> None:
        if self.waited_for:  # nobody wanted to hear what was said to the order before
            self._replies()
        with self._complete():
            for rank in range(1, self.ranks.size):
                send(Order(verb, given[rank]), rank)
        self.waited_for = True

    def _replies(self) -> list[Reply]:
        with self._complete():
            replies: list[Reply] = [receive(rank, silence()) for rank in range(1, self.ranks.size)]
        self.waited_for = False
        for rank, reply in enumerate(replies, 1):
            if reply.received:
                self.hear(reply.received)
            for record in reply.log:
                record.msg = f"rank {rank}: {record.msg}"
                logging.getLogger(record.name).handle(record)
        return replies

    @contextmanager
    def _complete(self) -> Iterator[None]:
        """Inside `with`, ranks are talked to. Where one is lost, all further talk raises the same at once."""
        if self.lost is not None:
            raise self.lost
        try:
            yield
        except RankLostError as error:
            self.lost = error
            raise


def follow(hand: Any, received: Callable[[], signal.Signals | None] = lambda: None) -> None:
    """What every rank but the first does: what that says, until it lets go. Raises RankLostError.

    `received` is the signal that came last.
    """
    log = _Kept()
    logging.getLogger().addHandler(log)
    try:
        while (order := receive(0, silence() if hand.busy else FOREVER)).verb != LEAVE:
            reply = _done(hand, order)
            send(Reply(reply.value, _plain(reply.error), received(), log.taken()), 0)
    finally:
        logging.getLogger().removeHandler(log)


def _done(hand: Any, order: Order) -> Reply:
    try:
        return Reply(getattr(hand, order.verb)(*order.given))
    except Exception as error:
        return Reply(error=error)


def _value(reply: Reply) -> Any:
    if reply.error is not None:
        raise reply.error
    return reply.value


def _plain(error: Exception | None) -> Exception | None:
    """An error as it can be sent: what isn't a mistake of a user's with the place where it came from."""
    if error is None or isinstance(error, (ValueError, KeyError)):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))


class _Kept(logging.Handler):
    """Keeps what is logged until it is sent to the first rank."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record, as text."""
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self.records.append(record)

    def taken(self) -> list[logging.LogRecord]:
        """What was kept since the last call."""
        taken, self.records = self.records, []
        return taken
