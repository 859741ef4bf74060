"""What a worker says of its jobs: progress while they train, and once what they came to."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from packtrain import __version__

from ..jobs import State
from .leased import Ended
from .link import Link, Outbox, Refused
from .memory import Kept
from .training import Trainer

log = logging.getLogger(__name__)
PROGRESS_SECONDS = 0.5
MOST_TOLD = 100  # jobs in one report on progress: each is an event, and a commit
MOST_ENDED = 64  # jobs in one report on ends: the next are made while it travels
MOST_BYTES = 64 << 20  # in one report; one job's files are never parted
MOST_WAITING = 32  # letters, from which training waits for the server


class Reporting:
    """Sends what a trainer has to say, through an outbox; `cancelled` are jobs that the server has let go."""

    def __init__(self, link: Link, trainer: Trainer, outbox: Outbox | None = None) -> None:
        self.link, self.trainer, self.outbox = link, trainer, outbox or Outbox()
        self.unsent: dict[int, None] = {}  # jobs that have ended, of which the server doesn't know yet
        self.cancelled: list[int] = []
        self.said = time.monotonic()

    @property
    def held(self) -> list[int]:
        """The jobs that the server shall take for this worker's."""
        return [*self.trainer.held, *list(self.unsent)]

    def send(self) -> None:
        """Has sent what there is: ends and checkpoints at once, progress now and then."""
        trainer = self.trainer
        saved, trainer.saved = trainer.saved, []
        for kept in saved:
            self._put(lambda kept=kept: self._keep(kept))
        ended, trainer.out = trainer.out, []
        self.unsent |= dict.fromkeys(each.id for each in ended)
        seconds = trainer.untold_seconds() if ended or self._is_due() else {}
        for first in range(0, len(ended), MOST_ENDED):
            self._put(lambda some=ended[first : first + MOST_ENDED]: self._ends(some))
        if self._is_due() and trainer.held:
            self.said, told = time.monotonic(), trainer.progress(MOST_TOLD)
            self._put(lambda: self._report({"progress": told}, {}))
        if seconds:
            self._put(lambda: self._report({"seconds": seconds}, {}))

    def give_back(self, ids: Sequence[int]) -> None:
        """Has the server give jobs to somebody else."""
        self._put(lambda: self._report({"given_back": list(ids)}, {}))

    def _is_due(self) -> bool:
        return time.monotonic() - self.said > PROGRESS_SECONDS

    def _put(self, letter: Callable[[], object]) -> None:
        self.outbox.wait(self.link.patience, MOST_WAITING)
        self.outbox.put(letter)

    def _keep(self, kept: Kept) -> None:
        header, files = kept.sealed()
        self.link.keep(header, files)

    def _ends(self, ended: Sequence[Ended]) -> None:
        """Reports on jobs that have ended, as many at a time as have room."""
        files: dict[str, bytes] = {}
        lines: list[dict[str, Any]] = []
        for each in ended:
            own = _files(each)
            if lines and sum(map(len, files.values())) + sum(map(len, own.values())) > MOST_BYTES:
                self._tell(lines, files)
                lines, files = [], {}
            files |= {f"{each.id}/{name}": content for name, content in own.items()}
            lines.append({"id": each.id, "state": each.state, "message": "", "refused": False, **each.about})
        self._tell(lines, files)

    def _tell(self, lines: Sequence[Mapping[str, Any]], files: Mapping[str, bytes]) -> None:
        try:
            self._report({"ended": list(lines)}, files)
        except Refused as error:
            self._tell_apart(lines, files, error)
        for line in lines:
            self.unsent.pop(line["id"], None)

    def _tell_apart(
        self, lines: Sequence[Mapping[str, Any]], files: Mapping[str, bytes], error: Refused
    ) -> None:
        """Reports again on each job alone; one whose files aren't taken has failed."""
        if len(lines) == 1:
            failed = {"id": lines[0]["id"], "state": State.FAILED, "message": str(error), "refused": False}
            self._report({"ended": [{"seconds": 0.0, **failed}]}, {})
            return
        for line in lines:
            own = {name: content for name, content in files.items() if name.startswith(f"{line['id']}/")}
            self._tell([line], own)

    def _report(self, header: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        empty = {"progress": [], "ended": [], "given_back": [], "seconds": {}}
        answer = self.link.report({**empty, **header, "version": __version__}, files)
        self.cancelled += answer.get("cancelled", [])


def _files(ended: Ended) -> Mapping[str, bytes]:
    """A job's files; of those that can't be made a log, and the job has failed."""
    try:
        return ended.make()
    except Exception as error:
        log.exception("the files of job %d can't be made", ended.id)
        ended.state = State.FAILED
        ended.about = {
            "message": f"{type(error).__name__}: {error}",
            "seconds": ended.about.get("seconds", 0.0),
        }
        return {"log": "".join(traceback.format_exception(error)).encode()}
