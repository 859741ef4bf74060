"""Progress while a pack trains: a bar on a terminal, a quiet line now and then elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 10  # at most so many in a whole run
SECONDS = 2.0  # and at least so long apart


class ProgressLine:
    """Shows step, loss and speed; `shown=False` shows nothing."""

    def __init__(self, console: Console, steps: int, shown: bool) -> None:
        self.console, self.steps, self.shown = console, steps, shown
        self.last_step, self.last_time = 0, time.perf_counter()
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (shown and console.is_terminal),
        )
        self.task = self.bar.add_task("training", total=steps, told="")

    def start(self) -> None:
        self.bar.start()

    def stop(self) -> None:
        self.bar.stop()

    def update(self, step: int, loss: float, samples_per_second: float) -> None:
        told = f"loss {loss:.4g}  {samples_per_second:.3g} samples/s"
        self.bar.update(self.task, completed=step, told=told)
        if self.shown and not self.console.is_terminal and self._due(step):
            self.last_step, self.last_time = step, time.perf_counter()
            self.console.print(f"step {step:,} of {self.steps:,}  {told}", highlight=False)

    def _due(self, step: int) -> bool:
        enough = step - self.last_step >= self.steps / LINES
        return enough and time.perf_counter() - self.last_time >= SECONDS
