"""What is watched while a pack trains: TensorBoard's scalars and the progress line."""

import time
from pathlib import Path

import numpy as np
from rich.console import Console

from trainer import config
from trainer.data.dataset import Dataset
from trainer.engines.base import Engine, History
from trainer.evaluate import Evaluation, evaluate
from trainer.monitor.events import EventFile
from trainer.monitor.progress import ProgressLine

FLUSH_SECONDS = 2.0


class Monitor:
    """Hands what the engine did to TensorBoard, every `every` steps, and to the progress line.

    Inside `with`; at its end the parameters that each run ended with are written.
    """

    def __init__(
        self,
        asked: config.Monitor,
        folder: Path,
        engine: Engine,
        validation: Dataset | None,
        console: Console,
    ) -> None:
        self.asked, self.engine, self.validation = asked, engine, validation
        self.model = engine.model
        self.scalars = list(self.model.scalars)
        self.files = _event_files(folder, self.model.runs) if asked.tensorboard else []
        self.progress = ProgressLine(console, int(engine.steps.max()), asked.progress)
        self.clock = self.flushed = time.perf_counter()

    def __enter__(self) -> "Monitor":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()
        columns = list(self.model.scalars.values())
        values = self.model.parameters.detach()[:, columns].cpu().numpy()
        ended = self.engine.taken.tolist()
        for run, file in enumerate(self.files if self.scalars else []):
            file.add(ended[run], self._parameters(values[run]))
        self._flush(now=True)

    def record(self, history: History) -> None:
        """The steps of one slice: loss, gradient norm, learning rate, speed and fitted parameters."""
        last = history.last.cpu().numpy()  # waits for the device, so the clock is right
        speed = self._speed(history.samples)
        if self.files:
            self._add(history, speed)
        self._flush()
        best = np.nanmin(last) if np.isfinite(last).any() else np.nan
        self.progress.update(self.engine.step, float(best), speed)

    def _add(self, history: History, speed: float) -> None:
        parts = history.loss, history.gradient_norm, history.scalars, *history.rates.values()
        loss, norm, scalars, *rates = (part.cpu().numpy() for part in parts)
        tags = [f"optimizer/{name}" for name in history.rates]
        files = [self.files[run] for run in history.runs.tolist()]
        for row, step in enumerate(history.steps):
            for run, file in enumerate(files):
                if np.isfinite(loss[row, run]):
                    about = {
                        "loss/train": loss[row, run],
                        "optimizer/gradient_norm": norm[row, run],
                        **{tag: rate[row, run] for tag, rate in zip(tags, rates, strict=True)},
                        "speed/samples_per_second": speed,
                    }
                    file.add(step, about | self._parameters(scalars[row, run]))

    def next_validation(self, step: int) -> int:
        """The step after `step` at which `validate` is due."""
        every = self.asked.validate_every
        return step - step % every + every

    def validate(self) -> Evaluation | None:
        """Loss and metrics on the validation part, if there is one, at the engine's step."""
        if self.validation is None:
            return None
        found = evaluate(self.model, self.validation)
        columns = {"loss/validation": found.loss} | {
            f"metrics/{name}": values for name, values in found.metrics.items()
        }
        table = {tag: values.tolist() for tag, values in columns.items()}
        alive = self.engine.alive.tolist()
        for run, file in enumerate(self.files):
            if alive[run]:
                file.add(self.engine.step, {tag: values[run] for tag, values in table.items()})
        self._flush()
        self.clock = time.perf_counter()
        return found

    def _parameters(self, values: np.ndarray) -> dict[str, float]:
        named = zip(self.scalars, values, strict=True)
        return {f"parameters/{name}": float(value) for name, value in named}

    def _speed(self, samples: int) -> float:
        """Samples a second since the last call, all runs together."""
        before, self.clock = self.clock, time.perf_counter()
        return samples / max(self.clock - before, 1e-9)

    def _flush(self, now: bool = False) -> None:
        """Writes what is waiting, at most every FLUSH_SECONDS: each run has a file to open."""
        if now or time.perf_counter() - self.flushed > FLUSH_SECONDS:
            self.flushed = time.perf_counter()
            for file in self.files:
                file.flush()


def _event_files(folder: Path, runs: int) -> list[EventFile]:
    """`folder` itself for one run, a folder below it for each of many; what an earlier training left goes."""
    for old in folder.rglob("events.out.tfevents.*"):
        old.unlink()
    if runs == 1:
        return [EventFile(folder)]
    return [EventFile(folder / f"run-{run:04d}") for run in range(runs)]
