"""Makes the pictures of TensorBoard in the documentation: python -m scripts.pictures.screenshots."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.browser import Page, page
from scripts.common import commands, record
from scripts.pictures.__main__ import PAGES, shrink

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


def main() -> None:
    """Trains, opens TensorBoard, and writes what is to be seen."""
    with TemporaryDirectory() as folder, page() as browser:
        for training in dict.fromkeys(shot.training for shot in SCREENSHOTS.values()):
            place = Path(folder) / str(len(list(Path(folder).iterdir()))) / "digits"
            more = (word.format(place) for word in PLACES)
            commands.run(record.ROOT, "-m", "packtrain", *shlex.split(training), *more)
            for name, shot in SCREENSHOTS.items():
                if shot.training == training:
                    take(browser, shot, place, PAGES / f"{name}.png")


def take(browser: Page, shot: Screenshot, training: Path, file: Path) -> None:
    """Writes one picture, of few enough bytes."""
    with served(training, shot.all) as address:
        browser.open("about:blank")
        browser.open(f"{address}#{shot.dashboard}", *shot.size)
        browser.wait(shot.complete)
        browser.ask(shot.click)
        browser.ask(SETTLES)
        file.write_bytes(browser.picture())
    shrink(file)
    print(file.relative_to(record.ROOT), f"{file.stat().st_size:,} bytes")


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


if __name__ == "__main__":
    main()
