"""Progress while a pack trains: a bar on a terminal, a quiet line now and then elsewhere."""

import time
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...kernels.common import compiling

FIRST_LINE = 2.0  # seconds after the first steps
COMPILES = "compiling, once: what is compiled is kept"
SPACING = 1.5  # each further line waits so many times longer


def telling_of_compiling(console: Console, shown: bool) -> AbstractContextManager[None]:
    """Inside `with`, a line says so when something begins to be compiled, which takes seconds.

    >>> with telling_of_compiling(Console(), shown=False):
    ...     pass
    """
    if not shown:
        return nullcontext()
    return compiling.telling(lambda: console.print(COMPILES, highlight=False))


class ProgressLine:
    """Shows step, loss and speed; `shown=False` shows nothing. 0 `steps` are an end that isn't known yet."""

    def __init__(self, console: Console, steps: int, shown: bool) -> None:
        self.console, self.steps, self.shown = console, steps, shown
        self.started: float | None = None
        self.due = FIRST_LINE
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (shown and console.is_terminal),
        )
        self.task = self.bar.add_task("training", total=steps or None, status="")

    def start(self) -> None:
        self.bar.start()

    def stop(self) -> None:
        self.bar.stop()

    def update(
        self, step: int, loss: float, samples_per_second: float | None = None, steps: int | None = None
    ) -> None:
        """So many steps are made, of `steps` now; the speed isn't always known."""
        self.steps = steps or self.steps
        speed = "" if samples_per_second is None else f"  {samples_per_second:.3g} samples/s"
        status = f"loss {loss:.4g}{speed}"
        self.bar.update(self.task, completed=step, total=self.steps or None, status=status)
        now = time.perf_counter()
        self.started = now if self.started is None else self.started
        if self.shown and not self.console.is_terminal and now - self.started > self.due:
            self.due *= SPACING
            self.console.print(f"step {step:,} of {self.steps:,}  {status}", highlight=False)
