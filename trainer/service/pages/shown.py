"""Jobs as pages show them: a line of a list, and sentences about one."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from ...folder.digits import number
from ..jobs import Job, State
from .words import command

PAGE, LATELY = 50, 10  # jobs of a list, and of each part of the first page
MOST_WORDS, MOST_PEOPLE = 160, 20
ENDS = (State.FINISHED, State.FAILED, State.CANCELLED)
UNITS = (86_400, "d"), (3_600, "h"), (60, "min")


class Jobs(Protocol):
    """The part of a queue that lists read."""

    def jobs(
        self,
        before: int | None = None,
        limit: int = 50,
        user: str | None = None,
        state: State | None = None,
        sweep: int | None = None,
        full: bool = False,
    ) -> list[Job]: ...

    def counts(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Line:
    """A job in a list."""

    id: int
    name: str
    words: str
    user: str
    runs: int
    state: str
    step: int
    steps: int
    loss: str
    when: str

    @property
    def running(self) -> bool:
        """Whether it has a bar."""
        return self.state == State.RUNNING


@dataclass(frozen=True)
class Section:
    """A list of jobs with a title, and where there are more of them."""

    title: str
    jobs: list[Line]
    more: str = ""
    more_text: str = ""


@dataclass(frozen=True)
class Link:
    """A link of a row of them: whether it leads here, and how many are behind it."""

    name: str
    link: str
    here: bool
    count: int | None = None


@dataclass(frozen=True)
class Asking:
    """What a list is asked for, as its address says."""

    user: str = ""
    state: State | None = None
    before: int | None = None
    sweep: int | None = None

    def link(self, place: str = "/", **changes: Any) -> str:
        """The address of another list."""
        given = {"user": self.user, "state": self.state, "before": self.before, "sweep": self.sweep} | changes
        query = urlencode({name: str(value) for name, value in given.items() if value})
        return f"{place}?{query}" if query else place


def line_of(job: Job, now: float | None = None) -> Line:
    """A job in a list, at a time: now, if nothing is said.

    >>> job = Job(17, "ann", 0, ["seed=3"], "primer", "", 1, State.QUEUED, created=100.0)
    >>> line_of(job, now=190.0).when, line_of(job).words
    ('1 min', 'seed=3')
    """
    moment = job.ended or job.started or job.created
    words = command(job.overrides).removeprefix("packtrain").strip()
    words = words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]}…"
    when = span((time.time() if now is None else now) - moment)
    heard_last = job.state.is_end and job.step < job.steps  # and what it came to wasn't heard
    loss = "" if job.loss is None or heard_last else number(job.loss)
    return Line(
        job.id, job.name, words, job.user, job.runs, str(job.state), job.step, job.steps, loss, when
    )  # fmt: skip


def span(seconds: float) -> str:
    """A time in words.

    >>> span(3.25), span(75), span(7300), span(0.04)
    ('3.2 s', '1 min', '2 h', '0.04 s')
    """
    for length, unit in UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(seconds, 0):.2g} s"


def about(job: Job, now: float | None = None) -> str:
    """Who asked for it, and when it did what.

    >>> job = Job(17, "ann", 0, [], "primer", "", 2, State.RUNNING, created=100.0, started=130.0)
    >>> about(job, now=190.0)
    'by ann; 2 runs; submitted 1 min ago; began 1 min ago'
    """
    now = time.time() if now is None else now
    parts = [f"by {job.user}", "1 run" if job.runs == 1 else f"{job.runs:,} runs"]
    parts += [f"priority {job.priority}"] if job.priority else []
    parts.append(f"submitted {span(now - job.created)} ago")
    if job.ended is not None:
        parts.append(f"ended {span(now - job.ended)} ago")
    elif job.started is not None:
        parts.append(f"began {span(now - job.started)} ago")
    if job.seconds:
        parts.append(f"{span(job.seconds)} of a device")
    if job.worker and not job.state.is_end:
        parts.append(f"on {job.worker}")
    return "; ".join(parts)


def sections(queue: Jobs, asking: Asking, states: Mapping[str, int]) -> list[Section]:
    """The lists of a page: what runs, what waits and what ended lately; or the one that is asked for.

    >>> sections(None, Asking(), {})
    []
    """
    if asking.state or asking.before or asking.sweep:
        return _one(queue, asking)
    made = [
        _some(queue, asking, "Running", State.RUNNING, states),
        _some(queue, asking, "Waiting", State.QUEUED, states),
        _ended(queue, asking, states),
    ]
    return [section for section in made if section.jobs]


def _one(queue: Jobs, asking: Asking) -> list[Section]:
    jobs = queue.jobs(asking.before, PAGE + 1, asking.user or None, asking.state, asking.sweep)
    if not jobs:
        return []
    more = asking.link(before=jobs[PAGE - 1].id) if len(jobs) > PAGE else ""
    title = f"Submitted with job {asking.sweep}" if asking.sweep else ""
    return [Section(title, _lines(jobs[:PAGE]), more, "Older ones")]


def _some(
    queue: Jobs, asking: Asking, title: str, state: State, states: Mapping[str, int]
) -> Section:  # fmt: skip
    if not states.get(state):
        return Section(title, [])
    jobs = queue.jobs(None, LATELY + 1, asking.user or None, state)
    more = asking.link(state=state) if len(jobs) > LATELY else ""
    return Section(title, _lines(jobs[:LATELY]), more, f"All that are {state}")


def _ended(queue: Jobs, asking: Asking, states: Mapping[str, int]) -> Section:
    ends = [state for state in ENDS if states.get(state)]
    jobs = [job for state in ends for job in queue.jobs(None, LATELY, asking.user or None, state)]
    jobs.sort(key=lambda job: (job.ended or 0, job.id), reverse=True)
    return Section("Ended lately", _lines(jobs[:LATELY]))


def _lines(jobs: Iterable[Job]) -> list[Line]:
    now = time.time()
    return [line_of(job, now) for job in jobs]


def tabs(asking: Asking, states: Mapping[str, int]) -> list[Link]:
    """A link for each state, with how many jobs are in it.

    >>> [tab.link for tab in tabs(Asking(user="ann"), {"queued": 3})][:2]
    ['/?user=ann', '/?user=ann&state=running']
    """
    overview = not (asking.state or asking.before or asking.sweep)
    first = Link("Now", Asking(asking.user).link(), overview)
    names = {State.RUNNING: "Running", State.QUEUED: "Waiting"}
    order = (State.RUNNING, State.QUEUED, *ENDS)
    others = [
        Link(names.get(state, state.capitalize()), Asking(asking.user, state).link(), asking.state is state,
             states.get(state, 0))
        for state in order
    ]  # fmt: skip
    return [first, *others]


def people(asking: Asking, users: Sequence[str]) -> list[Link]:
    """A link for each of those who have jobs.

    >>> [person.link for person in people(Asking(), ["ann"])]
    ['/?user=ann']
    """
    shown = sorted({*users[:MOST_PEOPLE], *filter(None, [asking.user])})
    return [Link(name, Asking(name, asking.state).link(), name == asking.user) for name in shown]


def states_of(counts: Mapping[str, Any], user: str = "") -> dict[str, int]:
    """How many jobs there are by state, of all or of one person, in what Queue.counts gives.

    >>> states_of({"states": {"queued": 3}, "users": {"ann": {"queued": 1}}}, "ann")
    {'queued': 1}
    """
    given = counts.get("users", {}).get(user, {}) if user else counts.get("states", {})
    return {str(state): int(count) for state, count in dict(given).items()}
