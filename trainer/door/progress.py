"""A bar while a training runs that takes longer than a moment: on a terminal, and in a notebook."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..session import Session

MOMENT = 1.0  # seconds, within which nothing is shown


class Shown(Protocol):
    """Shows how far a training is."""

    def update(self, step: int, steps: int) -> None:
        """It has made `step` of `steps` steps."""
        ...

    def close(self) -> None:
        """It is over: what was shown goes away."""
        ...


def train(session: Session, label: str) -> None:
    """Advances the session to its end; a bar says how far it is, where somebody may see one.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.door.progress import train
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... ))
    >>> train(session, "training")
    >>> session.step
    9
    """
    if not session.pack.config.monitor.progress:
        while not session.done:
            session.advance()
        return
    steps = int(session.engine.steps.max())
    with _bar(label) as bar:
        while not session.done:
            session.advance()
            bar.update(session.step, steps)


@contextmanager
def _bar(label: str) -> Iterator["_Late"]:
    """A bar that is taken away at the end, however that comes."""
    bar = _Late(label)
    try:
        yield bar
    finally:
        bar.close()


class _Late:
    """A bar that begins to be shown after a moment, where there is a notebook or a terminal."""

    def __init__(self, label: str) -> None:
        self.label, self.began = label, time.perf_counter()
        self.shown: Shown | None = None

    def update(self, step: int, steps: int) -> None:
        if self.shown is None and time.perf_counter() - self.began > MOMENT:
            self.shown = _new_bar(self.label)
        if self.shown:
            self.shown.update(step, steps)

    def close(self) -> None:
        if self.shown:
            self.shown.close()


def _new_bar(label: str) -> Shown | None:
    """A bar in the notebook or on the terminal, None where there is neither."""
    if in_notebook():
        return NotebookBar(label)
    return TerminalBar(label) if sys.stderr is not None and sys.stderr.isatty() else None


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook.

    >>> from packtrain.trainer.door.progress import in_notebook
    >>> in_notebook()
    False
    """
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class TerminalBar:
    """A bar on stderr."""

    def __init__(self, label: str) -> None:
        columns = TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task(label, total=None)
        self.bar.start()

    def update(self, step: int, steps: int) -> None:
        self.bar.update(self.task, completed=step, total=steps)

    def close(self) -> None:
        self.bar.stop()


class NotebookBar:
    """A bar under the cell."""

    def __init__(self, label: str) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415 (there is IPython in notebooks alone)

        self.label, self.html = label, HTML
        self.handle: Any = display(HTML(""), display_id=True)

    def update(self, step: int, steps: int) -> None:
        text = f"{self.label} <progress value={step} max={steps}></progress> {step:,} of {steps:,}"
        self.handle.update(self.html(text))

    def close(self) -> None:
        self.handle.update(self.html(""))
