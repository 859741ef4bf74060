"""What is watched while a pack trains: TensorBoard's scalars and the progress line."""

import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from trainer import config
from trainer.data.dataset import Dataset
from trainer.engines.base import Engine, History
from trainer.evaluate import Evaluation, evaluate
from trainer.monitor.events import EventFiles
from trainer.monitor.progress import ProgressLine

FLUSH_SECONDS = 2.0  # between two looks at the curves
FLUSH_SHARE = 0.05  # of the time goes into writing, at most


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
        self.parameters = [f"parameters/{name}" for name in self.model.scalars]
        self.files = _event_files(folder, self.model.runs) if asked.tensorboard else None
        self.progress = ProgressLine(console, int(engine.steps.max()), asked.progress)
        self.clock = time.perf_counter()
        self.flush_due = self.clock + FLUSH_SECONDS

    def __enter__(self) -> "Monitor":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()
        if self.files:
            self._add_ends(self.files)
            self.files.flush()

    def record(self, history: History) -> None:
        """The steps of one slice: loss, gradient norm, learning rate, speed and fitted parameters."""
        last = history.last.cpu().numpy()  # waits for the device, so the clock is right
        speed = self._speed(history.samples)
        if self.files:
            self._add(self.files, history, speed)
        self._flush_if_due()
        best = np.nanmin(last) if np.isfinite(last).any() else np.nan
        self.progress.update(self.engine.step, float(best), speed)

    def _add(self, files: EventFiles, history: History, speed: float) -> None:
        parts = history.scalars, history.loss, history.gradient_norm, *history.rates.values()
        scalars, loss, *others = (part.cpu().numpy() for part in parts)
        columns = np.stack([loss, *others, np.full_like(loss, speed)], -1)
        rates = (f"optimizer/{name}" for name in history.rates)
        tags = ["loss/train", "optimizer/gradient_norm", *rates, "speed/samples_per_second", *self.parameters]
        runs, trained = history.runs.cpu().numpy(), np.isfinite(loss)
        table = np.concatenate([columns, scalars], -1)
        for step, values, kept in zip(history.steps, table, trained, strict=True):
            files.add(step, tags, values[kept], runs[kept])

    def _add_ends(self, files: EventFiles) -> None:
        """The parameters that each run ended with, at its last step."""
        columns = list(self.model.scalars.values())
        values = self.model.parameters.detach()[:, columns].cpu().numpy()
        ended = self.engine.taken.cpu().numpy()
        for step in np.unique(ended).tolist():
            runs = np.flatnonzero(ended == step)
            files.add(step, self.parameters, values[runs], runs)

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
        if self.files:
            alive = np.flatnonzero(self.engine.alive.cpu().numpy())
            values = torch.stack(list(columns.values()), -1).cpu().numpy()
            self.files.add(self.engine.step, list(columns), values[alive], alive)
        self._flush_if_due()
        self.clock = time.perf_counter()
        return found

    def _speed(self, samples: int) -> float:
        """Samples a second since the last call, all runs together."""
        before, self.clock = self.clock, time.perf_counter()
        return samples / max(self.clock - before, 1e-9)

    def _flush_if_due(self) -> None:
        """Writes what is waiting, seldom where there are many files to open."""
        now = time.perf_counter()
        if self.files and now > self.flush_due:
            self.files.flush()
            took = time.perf_counter() - now
            self.flush_due = now + max(FLUSH_SECONDS, took / FLUSH_SHARE)


def _event_files(folder: Path, runs: int) -> EventFiles:
    """`folder` itself for one run, a folder below it for each of many; what an earlier training left goes."""
    for old in folder.rglob("events.out.tfevents.*"):
        old.unlink()
    return EventFiles([folder] if runs == 1 else [folder / f"run-{run:04d}" for run in range(runs)])
