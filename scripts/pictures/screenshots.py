"""The pictures of TensorBoard in the documentation, taken in a headless Chromium."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.browser import Page, chromium, page
from scripts.common import commands, record
from scripts.pictures.files import file_of, shrink

SWEEP = """-m experiment=digits optimizer=adam,adamw optimizer.lr=3e-4,1e-3,3e-3,1e-2,3e-2 'seed=range(0,30)'
    loop.steps=300 monitor.every=5"""
PRIMER = "experiment=primer"
PLACES = "hydra.run.dir={0}", "hydra.sweep.dir={0}", "monitor.progress=false", "compute.device=cpu"
SETTLES = "new Promise(done => setTimeout(() => done(true), 2500))"  # charts move into their places


@dataclass(frozen=True)
class Screenshot:
    """A dashboard of a training: what is true of the page when it is complete, and what is clicked then."""

    training: str
    dashboard: str
    complete: str
    all: bool = False
    click: str = "true"
    size: tuple[int, int] = (1360, 800)


SCREENSHOTS = {
    "tensorboard": Screenshot(
        SWEEP,
        "timeseries",
        "seen('tb-data-table-content-row').length > 9",
        click="seen('button[aria-label=\"Close side pane\"]').forEach(button => button.click())",
    ),
    "tensorboard_hparams": Screenshot(
        SWEEP, "hparams", "(all('vaadin-grid')[0] || {}).size == 100", all=True
    ),
    "tensorboard_graph": Screenshot(PRIMER, "graphs", "seen('g.node').length > 5"),
}


def take_all(names: Sequence[str]) -> None:
    """Takes the pictures of these names, each training once; where there is no Chromium it says so."""
    if names and not chromium():
        print(f"There is no Chromium here, so these stay as they are: {', '.join(names)}")
        return
    trainings = dict.fromkeys(SCREENSHOTS[name].training for name in names)
    for training in trainings:
        with TemporaryDirectory() as folder, page() as browser:
            place = Path(folder) / "digits"
            more = (word.format(place) for word in PLACES)
            commands.run(record.ROOT, "-m", "packtrain", *shlex.split(training), *more)
            for name in (name for name in names if SCREENSHOTS[name].training == training):
                take(browser, SCREENSHOTS[name], place, file_of(name))
                shrink(name)


def take(browser: Page, shot: Screenshot, training: Path, file: Path) -> None:
    """Writes what a person sees of it."""
    with served(training, shot.all) as address:
        browser.open("about:blank")
        browser.open(f"{address}#{shot.dashboard}", *shot.size)
        browser.wait(shot.complete)
        browser.ask(shot.click)
        browser.ask(SETTLES)
        file.write_bytes(browser.picture())


@contextmanager
def served(training: Path, every: bool) -> Iterator[str]:
    """The address of `packtrain board`, which ends with the `with`."""
    command = [sys.executable, "-m", "packtrain", "board", str(training), f"all={str(every).lower()}"]
    board = subprocess.Popen(command, cwd=record.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert board.stdout
        yield next(word for word in board.stdout.readline().split() if word.startswith("http"))
    finally:
        board.terminate()
        board.wait()
