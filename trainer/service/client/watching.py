"""What happens to jobs, as it happens: the service's stream of events, which survives dropped connections."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..jobs import Event
from .wire import FIRST_PAUSE, Tries, Wire, dropped

QUIET = 45.0  # seconds without a byte, after which a stream counts as dropped


def events(wire: Wire, after: int | None = None, **chosen: Any) -> Iterator[Event | None]:
    """The events from now on, or `after` a number, without end; None where one should look for oneself.

    That is when the stream has begun, and then whenever it was quiet for a while: so nothing is missed that
    the service has forgotten. `chosen` says of what, as job=17. A dropped connection is made anew, after the
    last event that came.
    Raises ServiceError where the service refuses, or doesn't answer any more.
    """
    tries = Tries(wire)
    while True:
        with tries.trying():
            headers = {} if after is None else {"Last-Event-ID": str(after)}
            with wire.stream("/events", QUIET, params=chosen, headers=headers) as answer:
                if not tries.is_settled(answer):
                    continue
                tries.renew()
                if after is None:
                    yield None
                for place, event in enumerate(parsed(answer.iter_lines())):
                    if event:
                        after, tries.pause = event.number, FIRST_PAUSE
                    if event or place:  # a stream begins with a comment
                        yield event
            dropped()


def parsed(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events in the lines of a stream of them, None for a comment; what has no data is left out.

    >>> list(parsed([": still here", "", 'id: 7', 'event: running', 'data: {"job": 17}', ""]))
    [None, Event(number=7, kind='running', job=17, user='', data={'job': 17})]
    """
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line and name:
            fields[name] = fields.get(name, "") + value.removeprefix(" ")
        elif not line:
            if "data" in fields:
                yield _event(fields)
            fields = {}
        else:
            yield None


def _event(fields: dict[str, str]) -> Event:
    said = json.loads(fields["data"])
    data = said.get("data", said)
    return Event(
        int(fields.get("id") or said.get("number") or 0),
        fields.get("event") or said.get("kind", ""),
        int(said.get("job", 0)),
        said.get("user", ""),
        data,
    )
