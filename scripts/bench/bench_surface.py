"""A surface: the loss at 201 x 201 sets of parameters over 4,096 samples, against NumPy and torch.

    python -m scripts.bench.bench_surface [--size 201] [--samples 4096] [--repeats 5] [--equations]
        [--out FILE.csv]

A case is a model and a precision: the primer over two of its parameters, and an MLP over a plane. The peers
compute the same losses as a person would write them, over many models and samples at once, in blocks that fit
the cache, by all cores. Seconds are by the clock; processor_seconds are those of all cores, in which other
programs don't count. Exits with 1 where the surface of equations takes more than half a second by the clock.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from packtrain.kernels.expression import expression_loss
from packtrain.kernels.language import parse
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.models.landscape import losses_at
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import initial_weights
from scripts.bench import timing
from scripts.bench.case import OURS, TOLERANCE, difference, short
from scripts.common import record

PRIMER = ("xx = xa^2", "xy = ab*xx + ac*xa", "xz = bc*xx + xy", "xw = cd*xx + xz^3")
DTYPES = {"fp64": torch.float64, "fp32": torch.float32}
WIDTHS = [2, 10, 2]
TOGETHER = 1 << 16  # numbers that a peer computes at a time
MOST_SECONDS = 0.5
Way = Callable[[], Tensor]


def primer_ways(size: int, samples: int, dtype: torch.dtype) -> dict[str, Way]:
    """The primer's losses over ac and bc."""
    graph, generator = parse([*PRIMER]), torch.Generator().manual_seed(0)
    x = torch.rand(samples, 1, generator=generator).to(dtype)
    truth = torch.tensor([[1.0, 4.0, 2.0, 3.0]], dtype=dtype)  # of ab, ac, bc and cd
    t = ExpressionModel(graph, truth.clone(), "mse", None).predict(x)[0].detach()
    side = torch.linspace(-1, 6, size, dtype=dtype)
    points = truth.repeat(size * size, 1)
    points[:, 1], points[:, 2] = side.repeat(size), side.repeat_interleave(size)

    def formula(parameters: Sequence[Any], x: Any, t: Any) -> Any:
        ab, ac, bc, cd = parameters
        xx = x * x
        xz = bc * xx + ab * xx + ac * x
        return ((cd * xx + xz * xz * xz - t) ** 2).mean(1)

    def blocks(given: Any) -> Iterator[Any]:
        together = max(1, TOGETHER // samples)
        return (given[start : start + together] for start in range(0, len(given), together))

    def by_numpy() -> Tensor:
        columns, targets = x[:, 0].numpy(), t[:, 0].numpy()
        parts = [formula([p[:, [k]] for k in range(4)], columns, targets) for p in blocks(points.numpy())]
        return torch.from_numpy(np.concatenate(parts))

    def by_torch() -> Tensor:
        parts = [formula(p.split(1, 1), x[:, 0], t[:, 0]) for p in blocks(points)]
        return torch.cat(parts)

    if dtype == torch.float64:
        data = Dataset(x, t, ("xa",), ("xw",))
        model = ExpressionModel(graph, truth.clone(), "mse", None)
        return {OURS: lambda: losses_at(model, data, points), "numpy": by_numpy, "torch": by_torch}

    def ours() -> Tensor:
        return expression_loss(graph, points, x, t, "mse", backend="numba")

    return {OURS: ours, "numpy": by_numpy, "torch": by_torch}


def mlp_ways(size: int, samples: int, dtype: torch.dtype) -> dict[str, Way]:
    """The losses of an MLP of two classes over a plane, in float32."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(samples, WIDTHS[0], generator=generator)
    t = (x.sum(1, keepdim=True) > 0).long()
    first, second, third = initial_weights(WIDTHS, True, torch.arange(3), dtype)
    side = torch.linspace(-1, 2, size)
    across, up = side.repeat(size)[:, None], side.repeat_interleave(size)[:, None]
    points = first + across * (second - first) + up * (third - first)
    model = MLPModel(first[None].clone(), WIDTHS, True, "cross_entropy")
    data = Dataset(x, t, ("a", "b"), ("0", "1"))
    wide = WIDTHS[0] * WIDTHS[1]

    def of(p: Tensor) -> Tensor:
        w, b = p[:, :wide].view(-1, WIDTHS[1], WIDTHS[0]), p[:, wide : wide + WIDTHS[1]]
        v, c = p[:, wide + WIDTHS[1] : -2].view(-1, WIDTHS[2], WIDTHS[1]), p[:, -2:]
        hidden = torch.relu(torch.einsum("nv,khv->knh", x, w) + b[:, None])
        logits = torch.baddbmm(c[:, None], hidden, v.mT)
        return -torch.log_softmax(logits, -1).gather(2, t.expand(len(p), -1, 1)).mean((1, 2))

    def by_torch() -> Tensor:
        return torch.cat([of(p) for p in points.split(max(1, TOGETHER // samples))])

    return {OURS: lambda: losses_at(model, data, points), "torch": by_torch}


def measure(what: str, precision: str, ways: dict[str, Way], repeats: int) -> list[dict[str, Any]]:
    """A row a way; a peer that disagrees has no seconds."""
    expected = ways[OURS]()
    wrong = {
        name: apart
        for name, way in ways.items()
        if not (apart := difference(expected, way())) <= TOLERANCE[precision]
    }
    timed = {name: (lambda way=way: _timed(way)) for name, way in ways.items() if name not in wrong}
    rounds = timing.shuffled(timed, repeats)
    return [_row(what, precision, name, rounds, wrong.get(name)) for name in ways]


def _row(
    what: str,
    precision: str,
    name: str,
    rounds: dict[str, list[tuple[float, float]]],
    wrong: float | None,
) -> dict[str, Any]:
    nothing = [(float("nan"), float("nan"))]
    clock, processor = zip(*rounds.get(name, nothing), strict=True)
    low, middle, high = map(short, record.quantiles(clock))
    pairs = zip(rounds.get(name, nothing), rounds[OURS], strict=False)
    return {
        "surface": what,
        "dtype": precision,
        "method": name,
        "seconds": middle,
        "p20": low,
        "p80": high,
        "processor_seconds": short(record.quantiles(processor)[1]),
        "times_ours": short(record.quantiles([theirs[1] / ours[1] for theirs, ours in pairs])[1]),
        **record.where("cpu"),
        "trouble": "" if wrong is None else f"disagrees by {wrong:.1e}",
    }


def _timed(way: Way) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - clock, time.process_time() - processor


def missed(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each of our surfaces that takes too long."""
    for row in rows:
        if (
            row["method"] == OURS
            and row["surface"].startswith("primer")
            and not row["seconds"] <= MOST_SECONDS
        ):
            yield f"{row['surface']} {row['dtype']}: {row['seconds']} s, beyond {MOST_SECONDS}"


def line(row: dict[str, Any]) -> str:
    """A row, for people."""
    case = f"{row['surface']} {row['dtype']}  {row['method']:<9}"
    if row["trouble"]:
        return f"{case} {row['trouble']}"
    return (
        f"{case} {row['seconds']:>8} s, {row['processor_seconds']:>8} s of cores, {row['times_ours']} of ours"
    )


def main() -> None:
    """Measures and prints the rows, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=201, help="points on a side")
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--equations", action="store_true", help="no MLP, whose peer takes minutes")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    of, rows = (arguments.size, arguments.samples), []
    shape = f"{arguments.size} x {arguments.size} x {arguments.samples}"
    for precision, dtype in DTYPES.items():
        rows += measure(f"primer {shape}", precision, primer_ways(*of, dtype), arguments.repeats)
    if not arguments.equations:
        rows += measure(f"mlp {shape}", "fp32", mlp_ways(*of, torch.float32), arguments.repeats)
    print(*map(line, rows), sep="\n", flush=True)
    if arguments.out:
        record.write(arguments.out, rows)
    for sentence in (late := list(missed(rows))):
        print(f"missed: {sentence}")
    sys.exit(bool(late))


if __name__ == "__main__":
    main()
