"""Where the fused engine beats the step engine on a GPU, and whether it reaches its targets there.

    python -m scripts.bench.bench_border [--device cuda] [--out FILE.csv] [--only TEXT] [--steps 1000]
        [--repeats 3]

Trains the primer, gaussians (2-10-2) and five layers of 64 in bf16, in packs of 1 to 4,096 runs and
minibatches of 256 to 65,536 samples, those with a target first. At each of these points engine=fused, and
engine=step with its step captured, are built once. Once compiled, each trains from its start again and
again, in shuffled order, over as many steps as take some time, at most STEPS. What counts is the training
as a whole, gathering included; the fused engine's run-samples a second are counted by its launches alone.
At the first target JAX trains too, where it computes on the device.

A point has no figures where the engines' losses disagree after some steps, in the point's precision or (of
equations) in float64. FILE.csv has each point as soon as it is measured. Exits with 1 where a point has no
figures, or none of a target's points reaches it. On the CPU Triton is interpreted (TRITON_INTERPRET=1, which
gets bf16 wrong), and the step engine goes through torch.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from scripts.bench import border_points, jax_peer, timing
from scripts.bench.border_points import FUSED, STEP, Model, Point, Target
from scripts.bench.case import FASTER, TOLERANCE, difference, first_line, short
from scripts.bench.training_peers import by_jax
from scripts.bench.warm import COMPARED, Spent, Warm
from scripts.common import record
from scripts.common.engines import train

T = TypeVar("T")

ENGINES = FUSED, STEP
FEW = 8  # runs that are compared in float64
JAX, JAX_STEPS = "jax", 100
JAX_AT = "primer, 4096 x 8192"
COLUMNS = (
    "model", "runs", "batch", "precision", "fused_steps", "fused_launches_milliseconds", "fused_milliseconds",
    "step_steps", "step_milliseconds", "faster_than_step", "faster_than_step_p20", "faster_than_step_p80",
    "faster_than_jax", "faster_than_jax_p20", "faster_than_jax_p80", "fused_run_samples_per_second",
    "step_run_samples_per_second", "target", "reached", "trouble",
)  # fmt: skip
SPEED = "fused_run_samples_per_second"
PRINTED = "fused_steps", "fused_milliseconds", "faster_than_step", "faster_than_jax", "reached", "trouble"


def row(point: Point, device: str, most: int, repeats: int) -> dict[str, Any]:
    """What was measured of a point; blanks for what failed, and for all of it where the engines disagree."""
    trouble: list[str] = []
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    columns |= {"model": point.model.name, "runs": point.runs, "batch": point.batch}
    columns |= {"precision": point.model.precision}
    columns |= _figures(point, _measured(point, device, most, repeats, trouble))
    target = border_points.target_of(point)
    if target:
        reached = (columns[SPEED] or 0) >= target.speed
        columns |= {"target": short(target.speed), "reached": "yes" if reached else "no"}
    return columns | {"trouble": "; ".join(trouble)} | record.where(device)


def _measured(
    point: Point, device: str, most: int, repeats: int, trouble: list[str]
) -> dict[str, list[Spent]]:
    """What each way spent in every repeat; failures go into `trouble`."""
    engines = [(kind, tried(kind, partial(_warm, point, kind, device, most), trouble)) for kind in ENGINES]
    warm = {kind: engine for kind, engine in engines if engine}
    if len(warm) == 2 and not tried("the engines", partial(_agree, point, warm, device), trouble):
        return {}
    ways = {kind: engine.again for kind, engine in warm.items()}
    if FUSED in warm and point.name == JAX_AT:
        peer = tried(JAX, partial(_jax, warm[FUSED], device, min(most, JAX_STEPS)), trouble)
        ways |= {JAX: peer} if peer else {}
    return tried("measuring", partial(timing.shuffled, ways, repeats), trouble) or {}


def tried(what: str, call: Callable[[], T], trouble: list[str]) -> T | None:
    """What `call` gives; None where it fails, which must not keep other points from being measured."""
    try:
        return call()
    except Exception as error:
        trouble.append(f"{what}: {first_line(error)}")
        return None


def _warm(point: Point, kind: str, device: str, most: int) -> Warm:
    return Warm(point.engine(kind, device, point.model.precision), device, most)


def _agree(point: Point, warm: dict[str, Warm], device: str) -> bool:
    """Returns True. Raises RuntimeError where the losses differ by more than rounding."""
    _check(difference(warm[STEP].losses, warm[FUSED].losses), point.model.precision)
    if point.model.exact:
        _check(_exactly(point.model, min(point.runs, FEW), point.batch, device), "fp64")
    return True


def _check(apart: float, precision: str) -> None:
    if not apart <= TOLERANCE[precision]:
        raise RuntimeError(f"disagree by {apart:.1e} in {precision}")


@cache
def _exactly(model: Model, runs: int, batch: int, device: str) -> float:
    """How far apart both engines' losses are in float64."""
    engines = [Point(model, runs, batch).engine(kind, device, "fp64") for kind in (STEP, FUSED)]
    for engine in engines:
        train(engine, COMPARED)
    return difference(engines[0].last, engines[1].last)


def _jax(ours: Warm, device: str, steps: int) -> Callable[[], Spent] | None:
    """JAX's training from our start, None where it doesn't serve. Raises RuntimeError where it disagrees."""
    if not jax_peer.serves(device):
        return None
    ours.engine.restore(0, ours.start)
    training = by_jax(ours.engine, steps)
    assert training
    train(ours.engine, steps)
    _check(difference(ours.engine.model.parameters.detach(), training()[1]), "fp32")
    return lambda: Spent(steps, training()[0])


def _figures(point: Point, spent: dict[str, list[Spent]]) -> dict[str, Any]:
    """The columns of what was measured."""
    columns: dict[str, Any] = {}
    for kind in spent.keys() & {FUSED, STEP}:
        columns |= _of_engine(kind, spent[kind], point)
    if FUSED in spent:
        launches = _median([training.launches for training in spent[FUSED]])
        columns["fused_launches_milliseconds"] = short(launches * 1e3)
        for peer in spent.keys() - {FUSED}:
            columns |= _ratio(FASTER + peer, spent[peer], spent[FUSED])
    return columns


def _of_engine(kind: str, spent: Sequence[Spent], point: Point) -> dict[str, Any]:
    steps, counted = spent[0].steps, _median([training.launches or training.seconds for training in spent])
    return {
        f"{kind}_steps": steps,
        f"{kind}_milliseconds": short(_median([training.seconds for training in spent]) * 1e3),
        f"{kind}_run_samples_per_second": short(steps * point.runs * point.batch / counted),
    }


def _ratio(column: str, theirs: Sequence[Spent], ours: Sequence[Spent]) -> dict[str, float]:
    ratios = [a.a_step / b.a_step for a, b in zip(theirs, ours, strict=True)]
    low, middle, high = record.quantiles(ratios)
    return {column: short(middle), f"{column}_p20": short(low), f"{column}_p80": short(high)}


def _median(values: Sequence[float]) -> float:
    return record.quantiles(values)[1]


def main() -> None:
    """Measures the points, prints the tables, and exits with 1 where figures or a target are missing."""
    arguments = _arguments()
    wanted = [point for point in border_points.points() if arguments.only in point.name]
    if not wanted:
        sys.exit(f"no point has {arguments.only!r} in its name")
    rows: list[dict[str, Any]] = []
    try:
        for point in wanted:
            rows.append(row(point, arguments.device, arguments.steps, arguments.repeats))
            if arguments.out:
                record.write(arguments.out, rows)
            print(_line(point, rows[-1]), flush=True)
    finally:
        for part in _summary(rows):
            Console().print(part)
    sys.exit(any(not measured["fused_milliseconds"] for measured in rows) or bool(missed(rows)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.bench_border", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", default="", help="the points whose name ('primer, 8 x 256') holds this")
    parser.add_argument("--steps", type=int, default=1000, help="the most of one measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="a CSV file")
    return parser.parse_args()


def _line(point: Point, columns: dict[str, Any]) -> str:
    """What a point came to, for whoever waits."""
    figures = [f"{name} {columns[name]}" for name in PRINTED if columns[name] != ""]
    return f"{point.name}: {', '.join(figures)}"


def missed(rows: Sequence[dict[str, Any]]) -> list[Target]:
    """The targets that none of their measured points has reached."""
    return [target for target, rows in _by_target(rows) if not any(row["reached"] == "yes" for row in rows)]


def _by_target(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[Target, list[dict[str, Any]]]]:
    for target in border_points.TARGETS:
        covered = [row for row in rows if target.covers(row["model"], row["runs"], row["batch"])]
        if covered:
            yield target, covered


def _summary(rows: Sequence[dict[str, Any]]) -> Iterator[Table | str]:
    yield "engine=fused, as a multiple of engine=step's speed, by runs (down) and samples of a minibatch:"
    for model in dict.fromkeys(row["model"] for row in rows):
        yield _border(model, [row for row in rows if row["model"] == model])
    yield "targets, in run-samples a second of engine=fused:"
    yield _targets(rows)


def _border(model: str, rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(model, box=box.SIMPLE)
    batches = sorted({row["batch"] for row in rows})
    for batch in batches:
        table.add_column(f"{batch:,}", justify="right")
    ratios = {(row["runs"], row["batch"]): str(row["faster_than_step"]) for row in rows}
    for runs in sorted({row["runs"] for row in rows}):
        table.add_row(f"{runs:,}", *(ratios.get((runs, batch), "") for batch in batches))
    return table


def _targets(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("runs x samples", "target", "measured", "reached", box=box.SIMPLE)
    for target, covered in _by_target(rows):
        for row in covered:
            size = f"{row['model']}, {row['runs']} x {row['batch']}"
            table.add_row(size, f"{target.speed:.3g}", f"{row[SPEED]}", row["reached"])
    return table


if __name__ == "__main__":
    main()
