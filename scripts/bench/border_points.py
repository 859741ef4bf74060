"""The points of bench_border: what is trained, in packs of how many runs, in minibatches of what size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from packtrain.trainer.config.pack import Pack
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.bench.case import randn
from scripts.common.engines import new_engine, pack_of

FUSED, STEP = "fused", "step"
INTERPRETED = {FUSED: "triton", STEP: "reference"}  # backends on the CPU
ENDLESS = 1 << 30  # steps of a training that is timed again and again
RUNS, BATCHES = (1, 8, 64, 512, 4096), (256, 1024, 8192, 65536)


@dataclass(frozen=True)
class Model:
    """What is trained: its overrides, its precision, and the points.

    `exact`: both engines train it in float64 too. `drawn`: its data are normal numbers, not its config's.
    """

    name: str
    overrides: tuple[str, ...]
    precision: str = "fp32"
    exact: bool = False
    drawn: bool = False
    runs: tuple[int, ...] = RUNS
    batches: tuple[int, ...] = BATCHES
    samples: int = 2 * BATCHES[-1]


MODELS = (
    Model("primer", ("experiment=primer",), exact=True),
    Model("gaussians", ("experiment=gaussians",), exact=True),
    Model(
        "five layers of 64",
        ("~experiment", "model=mlp", "model.widths=[64,64,64,64,64,64]", "model.loss=mse", "data=table"),
        precision="bf16",
        drawn=True,
        runs=RUNS[:-1],
    ),
)


@dataclass(frozen=True)
class Point:
    """A pack of `runs` of a model in minibatches of `batch` samples."""

    model: Model
    runs: int
    batch: int

    @property
    def name(self) -> str:
        """As in `primer, 8 x 256`."""
        return f"{self.model.name}, {self.runs} x {self.batch}"

    def engine(self, kind: str, device: str, precision: str) -> TabulatedEngine:
        """The engine FUSED or STEP before its first step."""
        pack = _largest(self.model, kind, device, precision).of(range(self.runs))
        loop = replace(pack.config.loop, batch_size=self.batch)
        pack = replace(pack, config=replace(pack.config, loop=loop))
        engine = new_engine(pack, _data(self.model, device, precision))
        assert isinstance(engine, TabulatedEngine) and engine.kind == kind
        return engine


@dataclass(frozen=True)
class Target:
    """Run-samples a second that the fused engine's launches should reach at one of the `sizes` (R, B)."""

    model: str
    speed: float
    sizes: tuple[tuple[int, int], ...]

    def covers(self, model: str, runs: int, batch: int) -> bool:
        """Whether the point is one of its sizes."""
        return model == self.model and (runs, batch) in self.sizes


TARGETS = (
    Target("primer", 4096 * 8192 * 1000 / 50e-3, ((4096, 8192),)),
    Target("primer", 1e12, ((4096, 65536), (512, 65536))),
    Target("five layers of 64", 1.4e9, ((512, 1024), (512, 8192), (512, 65536))),
)


def points() -> list[Point]:
    """All points, those of targets first, so that a benchmark that is cut off has them."""
    return sorted(_points(), key=lambda point: target_of(point) is None)


def target_of(point: Point) -> Target | None:
    """The target that the point counts for, if any."""
    place = point.model.name, point.runs, point.batch
    return next((target for target in TARGETS if target.covers(*place)), None)


def _points() -> Iterator[Point]:
    for model in MODELS:
        yield from (Point(model, runs, batch) for runs in model.runs for batch in model.batches)


@cache
def _largest(model: Model, kind: str, device: str, precision: str) -> Pack:
    """The pack of all runs; every point takes the first of them, since composing a pack takes long."""
    drawn = () if model.drawn else (f"data.size={model.samples}",)
    backend = "auto" if device.startswith("cuda") else INTERPRETED[kind]
    return pack_of(
        *model.overrides, *drawn, f'pack.over={{seed: "range(0,{max(model.runs)})"}}', "loop.epochs=null",
        f"loop.steps={ENDLESS}", "schedule=constant", "optimizer.lr=3e-3", "monitor=quiet",
        f"engine={kind}", f"compute.device={device}", f"compute.backend={backend}",
        f"compute.precision={precision}",
    )  # fmt: skip


@cache
def _data(model: Model, device: str, precision: str) -> Dataset:
    """The data that all points of a model share."""
    pack = _largest(model, STEP, device, precision)
    if not model.drawn:
        return load_data(pack).train
    widths = pack.config.model.widths
    assert widths
    sizes = widths[0], widths[-1]
    inputs, targets = randn(model.samples, sum(sizes), device=device).split(sizes, 1)
    names = [tuple(f"x{i}" for i in range(size)) for size in sizes]
    return Dataset(inputs.contiguous(), targets.contiguous(), names[0], names[1])
