"""One case of a benchmark: what is compared, what it costs at least, and the row that it becomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scripts.bench import timing
from scripts.bench.limits import Limits, precision
from scripts.bench.timing import Way
from scripts.common import record

OURS = "packtrain"
FASTER = "faster_than_"  # a column a peer
TOLERANCE = {"fp64": 1e-10, "fp32": 1e-4, "tf32": 1e-2, "bf16": 3e-2}  # of the norm of a difference


@dataclass(frozen=True)
class Case:
    """`ways` to compute the same numbers: OURS and its peers. `what` names the case.

    `moved` and `operations` are the fewest bytes and operations that it takes; `product` is the format of its
    products. Two ways agree where the norm of their difference is within TOLERANCE of the norm.
    """

    what: Mapping[str, Any]
    ways: Mapping[str, Way]
    product: str
    moved: float
    operations: float
    samples: int


def row(case: Case, limits: Limits, device: str, repeats: int) -> dict[str, Any]:
    """What was measured; a peer whose numbers disagree with ours, or that failed, is blank."""
    torch.compiler.reset()  # what was compiled for other cases
    with precision(case.product):
        trouble = troubles(case.ways, case.product, case.what)
        prepared: dict[str, Callable[[], object]] = {}
        for name, way in case.ways.items():
            if name not in trouble:
                try:
                    prepared[name] = timing.prepare(way, device)
                except RuntimeError as error:  # out of memory, or it can't be captured
                    trouble[name] = first_line(error)
        seconds = timing.rounds(prepared, device, repeats)
    nothing = [float("nan")]
    low, middle, high = record.quantiles(seconds.get(OURS, nothing))
    result: dict[str, Any] = {
        **case.what,
        **record.where(device),
        "microseconds": short(middle * 1e6),
        "p20": short(low * 1e6),
        "p80": short(high * 1e6),
        "samples_per_second": short(case.samples / middle),
        "fraction_of_limit": short(limits.floor(case.moved, case.operations, case.product) / middle),
    }
    for peer in case.ways:
        if peer in seconds and OURS in seconds and peer != OURS:
            ratios = [theirs / ours for theirs, ours in zip(seconds[peer], seconds[OURS], strict=True)]
            result[FASTER + peer] = short(record.quantiles(ratios)[1])
    on_cuda = seconds if device.startswith("cuda") else ()
    uncaptured = [f"{name}: not captured" for name in on_cuda if getattr(prepared[name], "uncaptured", False)]
    result["trouble"] = "; ".join([*(f"{name}: {why}" for name, why in trouble.items()), *uncaptured])
    return result


def troubles(ways: Mapping[str, Way], product: str, what: Mapping[str, Any]) -> dict[str, str]:
    """The peers that disagree or fail, and how. Raises AssertionError where all do: then we are wrong."""
    ours = [tensor.detach().clone() for tensor in ways[OURS]()]
    result: dict[str, str] = {}
    for name, way in ways.items():
        if name == OURS:
            continue
        try:
            theirs = way()
        except (RuntimeError, ValueError, NotImplementedError) as error:
            result[name] = first_line(error)
            continue
        worst = max(difference(a, b.detach()) for a, b in zip(ours, theirs, strict=True))
        if not worst <= TOLERANCE[product]:
            result[name] = f"disagrees by {worst:.1e}"
    agreed = len(ways) - 1 - len(result)
    assert agreed or len(ways) == 1, f"no peer agrees with {OURS} on {dict(what)}"
    return result


def difference(a: Tensor, b: Tensor) -> float:
    """|a - b| / |a|, row by row in float64, so that little of it is in memory at once."""
    pairs = list(zip(a.split(1 << 16), b.split(1 << 16), strict=True)) if a.dim() else [(a, b)]
    apart = sum(float((x.double() - y.double()).square().sum()) for x, y in pairs)
    size = sum(float(x.double().square().sum()) for x, _ in pairs)
    return (apart / max(size, 1e-60)) ** 0.5


def first_line(error: Exception) -> str:
    """What went wrong, short enough for a table."""
    return (str(error).splitlines() or [type(error).__name__])[0][:80]


def short(value: float) -> float:
    """Four digits: more are noise."""
    return float(f"{value:.4g}")


def randn(*shape: int, device: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Normal numbers, the same every time."""
    generator = torch.Generator(device).manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, device=device).to(dtype)


def loss_and_gradient(loss: Callable[[], Tensor], parameters: Tensor) -> Way:
    """The way that has torch differentiate `loss` by its parameters."""

    def run() -> Sequence[Tensor]:
        value = loss()
        (gradient,) = torch.autograd.grad(value.sum(), parameters)
        return [value.detach(), gradient]

    return run
