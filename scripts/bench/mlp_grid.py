"""MLPs of many widths, minibatches and packs: the engine that `auto` takes, the other, a plain torch loop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from typing import Any

import torch
from torch import nn

from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.bench.bench_pack import STEP
from scripts.bench.case import short
from scripts.bench.timing import shuffled
from scripts.common import record
from scripts.common.engines import new_engine, pack_of, train

WIDTHS, BATCHES, PACKS = (2, 32, 128, 512), (32, 256, 2048, 8192), (1, 16, 256)
CLASSES = 10
SAMPLES = 1 << 13  # of the data, or 4 minibatches
MOST_OPERATIONS = 1e11  # of a step of all runs: it takes up to 2 seconds
MOST_NUMBERS = 5e7  # of all runs' parameters: the step engine then takes gigabytes
WAYS = {"fused": ("engine=fused",), "step": STEP}
SLOWER = 1.1  # that auto may be than the better engine


@dataclass(frozen=True)
class Cell:
    """An MLP of three layers, W-W-W-10, in minibatches of B samples, R runs of it."""

    width: int
    batch: int
    runs: int

    @property
    def what(self) -> str:
        """Its name in the table."""
        runs = f"{self.runs} runs" if self.runs > 1 else "1 run"
        return f"MLP of width {self.width}, {runs}, minibatches of {self.batch}"

    @property
    def is_too_large(self) -> bool:
        """It takes too long, or too much memory."""
        weights = 2 * self.width**2 + CLASSES * self.width
        operations = 6.0 * weights * self.batch * self.runs
        return operations > MOST_OPERATIONS or weights * self.runs > MOST_NUMBERS

    def data(self) -> Dataset:
        """Random numbers, the same every time."""
        generator, size = torch.Generator().manual_seed(self.width), max(SAMPLES, 4 * self.batch)
        inputs = torch.randn(size, self.width, generator=generator)
        targets = torch.randint(CLASSES, (size, 1), generator=generator)
        names, classes = (tuple(map(str, range(count))) for count in (self.width, CLASSES))
        return Dataset(inputs, targets, names, classes)

    def engine(self, *way: str) -> TabulatedEngine:
        """The engine of its runs before the first step."""
        pack = pack_of(
            "experiment=digits", f"model.widths=[{self.width},{self.width},{self.width},{CLASSES}]",
            f"loop.batch_size={self.batch}", "loop.epochs=null", "loop.steps=1000000", "schedule=constant",
            "monitor=quiet", "compute.device=cpu", f'pack.over={{seed: "range(0,{self.runs})"}}', *way,
        )  # fmt: skip
        engine = new_engine(pack, self.data())
        assert isinstance(engine, TabulatedEngine)
        return engine


def cells() -> list[Cell]:
    """The grid, without what is too large."""
    return [cell for each in product(WIDTHS, BATCHES, PACKS) if not (cell := Cell(*each)).is_too_large]


def rows(seconds: float, repeats: int, missed: list[str]) -> Iterator[dict[str, Any]]:
    """A row a cell, each time of about so many seconds; what misses its target goes into `missed`."""
    for cell in cells():
        yield measured(cell, seconds, repeats, missed)


def measured(cell: Cell, seconds: float, repeats: int, missed: list[str]) -> dict[str, Any]:
    """Microseconds of a step of one run each way, medians of shuffled repeats, and their ratios."""
    auto = cell.engine("engine=auto").kind
    engines = {name: cell.engine(*way) for name, way in WAYS.items()}
    _check_agreement(cell, engines)
    ways = {name: _timed(partial(_advance, engine), seconds) for name, engine in engines.items()}
    ways["plain"] = _timed(PlainLoop(cell), seconds)
    times = shuffled(ways, repeats)
    scale = {name: 1e6 / (1 if name == "plain" else cell.runs) for name in ways}
    medians = {name: record.quantiles(each)[1] * scale[name] for name, each in times.items()}
    slower = medians[auto] / min(medians["fused"], medians["step"])
    faster = medians["plain"] / medians[auto]
    if slower > SLOWER:
        missed.append(f"{cell.what}: auto is {slower:.2f} times slower than the better engine")
    if faster < 1:
        missed.append(f"{cell.what}: auto is {1 / faster:.2f} times slower than a plain torch loop")
    columns = {f"{name}_microseconds_a_run": short(value) for name, value in medians.items()}
    ratios = {"auto_slower_than_better": short(slower), "auto_faster_than_plain": short(faster)}
    return {"what": cell.what, "auto": auto, **columns, **ratios}


def _check_agreement(cell: Cell, engines: dict[str, TabulatedEngine]) -> None:
    """Raises AssertionError unless the engines' losses of their first steps agree."""
    steps = min(2, *(engine.horizon for engine in engines.values()))
    losses = [engine.advance(steps).last for engine in engines.values()]
    for loss in losses[1:]:
        torch.testing.assert_close(loss, losses[0], rtol=1e-3, atol=1e-3)


def _timed(work: Callable[[int], float], seconds: float) -> Callable[[], float]:
    """work(steps), which returns its seconds -> seconds a step, of about `seconds` in all."""
    work(1)
    steps = max(1, min(256, int(seconds / work(1))))
    return lambda: work(steps) / steps


def _advance(engine: TabulatedEngine, steps: int) -> float:
    return train(engine, engine.step + steps)


class PlainLoop:
    """What one writes in torch: nn.Sequential and AdamW, one run."""

    def __init__(self, cell: Cell) -> None:
        width, self.batch, self.data = cell.width, cell.batch, cell.data()
        hidden = [layer for _ in range(2) for layer in (nn.Linear(width, width), nn.ReLU())]
        self.model = nn.Sequential(*hidden, nn.Linear(width, CLASSES))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)

    def __call__(self, steps: int) -> float:
        """Seconds of so many steps."""
        began = time.perf_counter()
        for index in islice(self._minibatches(), steps):
            self.optimizer.zero_grad()
            outputs = self.model(self.data.inputs[index])
            nn.functional.cross_entropy(outputs, self.data.targets[index, 0]).backward()
            self.optimizer.step()
        return time.perf_counter() - began

    def _minibatches(self) -> Iterator[torch.Tensor]:
        while True:
            yield from torch.randperm(len(self.data)).view(-1, self.batch)
