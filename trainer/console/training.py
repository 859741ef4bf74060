"""A training as a person starts it: a session, its run folder, and what is printed."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from ...kernels.common import source_cache
from ...kernels.common.errors import UserError
from ..config.pack import Pack
from ..engines.at_work import enough_memory
from ..engines.devices import own_device
from ..engines.prepare import load_data
from ..engines.team import Team
from ..folder.checkpoint import NEVER, Checkpoints
from ..folder.command import Command, write_command
from ..folder.curves import read_curves
from ..folder.lock import locked
from ..folder.ranking import no_best
from ..folder.result import Result
from ..folder.resuming import open_checkpoints
from ..folder.seconds import Stopwatch
from ..folder.write import write
from ..loop.stop import Signals
from ..pictures.drawn import draw_pictures
from ..pictures.style import can_draw
from ..ranks.crew import BEGIN, DONE, Crew
from ..session import Session
from .monitor import Monitor
from .progress import telling_of_compiling
from .report import closing_table, headline, pack_line

log = logging.getLogger(__name__)
NO_PICTURES = "no pictures without matplotlib: pip install 'packtrain[plot]', or monitor.pictures=false"


@dataclass(frozen=True)
class Ended:
    """The exit code of a training, and whether a signal cut it short."""

    code: int
    interrupted: bool


def never() -> str:
    """Says that nothing ends a training early.

    >>> never()
    ''
    """
    return ""


def run(
    pack: Pack,
    folder: Path,
    console: Console,
    command: Command | None = None,
    stop: Callable[[], str] = never,
    crew: Crew | None = None,
) -> Ended:
    """Trains `pack`, writes its results into `folder`, and prints the closing table.

    Where `folder` has a checkpoint of this training, it goes on from there. `command` is the one that was
    typed; a part of a sweep has none, and one line is printed. `stop` is called before each slice, and may
    take its time: it says why to stop there, '' to go on. The ranks of a `crew` share the training.

    Raises UserError or ExpressionError for what can't be trained, before anything is written, and where
    another process or another training has the folder.

    >>> import io, tempfile
    >>> from packtrain.trainer.config.pack import make_pack
    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> config.monitor = MonitorConfig(tensorboard=False, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run(make_pack(config), Path(folder) / "out", Console(file=io.StringIO()))
    Ended(code=0, interrupted=False)
    """
    device, progress = own_device(pack.config.compute), pack.config.monitor.progress
    with (
        locked(folder),
        device,
        telling_of_compiling(console, progress),
        enough_memory(),
        at_call(crew, pack),
    ):
        session = _prepare(pack, crew)
        monitor = Monitor(session, folder, console)
        session.watchers.append(monitor)
        parts = [session, monitor]
        checkpoints = open_checkpoints(pack, folder, session.data, session.engine, parts, monitor.say)
        session.add_seconds(checkpoints.spent)
        if command:
            write_command(folder, command)
        with Signals() as signals:
            if crew:
                crew.hear = signals.hear
            with monitor, checkpoints:
                train(session, checkpoints, signals, monitor.next, stopped_by(stop, crew))
                result = session.result()
                if problem := source_cache.untold():
                    monitor.say(problem)
            monitor.add_results(result)
            write(folder, result)
            if pack.config.monitor.pictures and command and not session.interrupted:
                _draw(result, folder, monitor)
    _print(console, result, folder, bool(command))
    if session.interrupted:
        signals.hand_over()
    return Ended(signals.exit_code or int(result.best_run is None), session.interrupted)


@contextmanager
def at_call(crew: Crew | None, pack: Pack) -> Iterator[None]:
    """Inside `with`, the other ranks of a crew prepare `pack` and do what is asked of them.

    >>> with at_call(None, pack=None):
    ...     pass
    """
    if crew is None:
        yield
        return
    crew.begin(BEGIN, pack, str(Path.cwd()))
    yield
    crew.begin(DONE)


def stopped_by(stop: Callable[[], str], crew: Crew | None) -> Callable[[], str]:
    """Says why to stop: what `stop` says, or that something is wrong with the crew.

    >>> stopped_by(never, None)()
    ''
    """
    return stop if crew is None else lambda: stop() or crew.trouble


def _prepare(pack: Pack, crew: Crew | None = None) -> Session:
    """The session that trains `pack`, after saying what a reader should know of its data."""
    loading = Stopwatch()
    with loading.running():
        data = load_data(pack)
    say_notes(data.notes)
    session = Session.prepare(pack, data, crew=crew)
    if isinstance(session.engine, Team):
        say_notes(session.engine.notes)
    session.add_seconds(loading.seconds)
    steps, name = session.engine.steps.max(), session.compute.name
    log.info("%s: %d runs of %d steps on %s", pack.config.name, session.pack.runs, steps, name)
    return session


def say_notes(notes: Iterable[str]) -> None:
    """Says what a reader should know before the training, on stderr and in the log.

    >>> say_notes([])
    """
    for note in notes:
        log.warning("%s", note)
        print(f"packtrain: note: {note}", file=sys.stderr)


def train(
    session: Session,
    checkpoints: Checkpoints,
    signals: Signals,
    pause: Callable[[int], int] = lambda step: NEVER,
    stop: Callable[[], str] = never,
) -> None:
    """Advances the session to its end, or until a signal comes, and saves checkpoints, the last one then.

    No slice of steps goes beyond the next `pause` after a step. `stop` may say a reason, too.
    Raises UserError where data can't be read any more, after saving what was trained.

    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> session = Session.prepare(config)
    >>> with Checkpoints(Path(), {}, [session], None, 2, print) as checkpoints:
    ...     train(session, checkpoints, Signals())
    >>> session.step
    9
    """
    while not session.done:
        if reason := signals.reason or stop():
            session.end(reason, interrupted=True)
            break
        step = session.step
        try:
            session.advance(min(checkpoints.next(step), pause(step)))
        except UserError:  # of files that are streamed, and can't be read any more
            if session.step == step:  # else a validation failed, which would be left out on resuming
                checkpoints.save(step, session.seconds)
            raise
        with session.stopwatch.running(training=True):
            checkpoints.save_if_due(session.step, session.seconds)
    with session.stopwatch.running(training=True):
        checkpoints.save(session.step, session.seconds)
        checkpoints.wait()


def _draw(result: Result, folder: Path, monitor: Monitor) -> None:
    """Draws the pictures. The results are written, and stay whatever goes wrong here."""
    if not can_draw():
        monitor.say(NO_PICTURES)
        return
    try:
        drawn = replace(result, curves=read_curves(folder))
        monitor.add_pictures(draw_pictures(drawn, folder, monitor.say))
    except Exception as error:
        log.exception("pictures could not be drawn")
        monitor.say(f"a picture could not be drawn ({error}); the results are written")


def _print(console: Console, result: Result, folder: Path, alone: bool) -> None:
    log.info("%s", headline(result.summary))
    if alone:
        closing_table(console, result.summary, result.rows, folder)
    else:
        pack_line(console, result.summary, folder)
    if result.best_run is None:
        print(f"packtrain: {no_best(result.rows)}", file=sys.stderr)
