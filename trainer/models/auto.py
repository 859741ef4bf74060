"""model.initial=auto: of many candidates the best few are fitted for some steps, and the best is the start.

It depends on a run's seed and own samples alone: all is computed run by run, in float64 on the CPU.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...kernels.common.segments import Segments
from ...kernels.language import Graph
from ...kernels.language.expr import names
from ...kernels.least_squares import Problem, Rules
from ..data.dataset import Dataset
from .candidates import Extent, candidates, hypercubes
from .dimensions import dimensions

CANDIDATES, FITTED, STEPS = 128, 4, 12  # of a run: points, those that are fitted, and for how many steps
EQUAL = 1.001  # times the least sum of squares: what is as good
MOST_SAMPLES = 128  # of a run that are looked at
AT_ONCE = 1 << 22  # numbers in the candidates of the runs that are looked at together


@dataclass(frozen=True)
class Search:
    """The parameters whose starts are looked for, `wanted` [P]; the others keep those `given`, [R, P].

    `lower`, `upper` [P] are bounds; `seeds` and `starts` [R] tell runs apart: a seed has `most_starts`.
    """

    given: Tensor
    wanted: Tensor
    lower: Tensor
    upper: Tensor
    seeds: Tensor
    starts: Tensor
    most_starts: int = 1

    def of(self, runs: Tensor) -> "Search":
        """That of these runs."""
        return replace(self, given=self.given[runs], seeds=self.seeds[runs], starts=self.starts[runs])


def found_starts(graph: Graph, data: Dataset, search: Search) -> Tensor:
    """The starts [R, P]; NaN for a run in whose candidates nothing is finite.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.auto import Search, found_starts
    >>> x = torch.linspace(0, 10, 30).double()[:, None]
    >>> data = Dataset(x, 3 * (-0.4 * x).exp() + 1, ("x",), ("y",))
    >>> zero, every = torch.zeros(1, dtype=torch.int64), torch.full((3,), torch.inf).double()
    >>> search = Search(torch.zeros(1, 3).double(), every > 0, -every, every, zero, zero)
    >>> found_starts(parse("y = a*exp(-k*x) + c"), data, search).round(decimals=3).tolist()
    [[3.0, 0.4, 1.0]]
    """
    runs, size = search.given.shape
    samples = _thinned(data, runs)
    units = torch.from_numpy(dimensions(graph))
    linear = _linear(graph, units, search.wanted)
    parts = torch.arange(runs).split(max(1, AT_ONCE // (CANDIDATES * size)))
    return torch.cat([_found(graph, samples.of(some), search.of(some), units, linear) for some in parts])


@dataclass(frozen=True)
class _Samples:
    """inputs [N, V], targets [N, T], weights [N] of R runs, by their segments, in float64 on the CPU."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None
    segments: Segments

    def of(self, runs: Tensor) -> "_Samples":
        return replace(self, segments=self.segments.of(runs))

    @property
    def problem(self) -> Problem:
        return Problem(self.inputs, self.targets, self.weights, segments=self.segments)

    @property
    def extent(self) -> Extent:
        """From where to where each run's samples reach."""
        values = torch.cat([self.inputs, self.targets], 1)
        low = values.new_full((len(self.segments), values.shape[1]), torch.nan)
        high = low.clone()
        for some, places in self.segments.by_size():
            if places.shape[1]:
                low[some], high[some] = values[places].amin(1), values[places].amax(1)
        return Extent(low, high)


def _thinned(data: Dataset, runs: int) -> _Samples:
    """The samples that count, of each run every so manyth."""
    data = data.counted
    whole = data.segments and data.segments.to(torch.device("cpu"))
    counts = torch.tensor([len(data)]) if whole is None else whole.counts
    starts = torch.tensor([0]) if whole is None else whole.starts
    stride = (counts + MOST_SAMPLES - 1).div(MOST_SAMPLES, rounding_mode="floor").clamp(min=1)
    kept = (counts + stride - 1).div(stride, rounding_mode="floor")
    inside = torch.arange(int(kept.sum())) - (kept.cumsum(0) - kept).repeat_interleave(kept)
    places = starts.repeat_interleave(kept) + stride.repeat_interleave(kept) * inside
    segments = Segments.after_another(kept)
    if whole is None:
        segments = segments.of(torch.zeros(runs, dtype=torch.int64))
    inputs, targets = (part.cpu().double()[places] for part in (data.inputs, data.targets))
    return _Samples(inputs, targets, None if data.weights is None else data.weights.cpu()[places], segments)


def _linear(graph: Graph, units: Tensor, wanted: Tensor) -> np.ndarray:
    """Which of the `wanted` parameters [P] can be solved for together: no slope by one has another in it."""
    inputs = len(graph.inputs)
    as_outputs = (units[:, :inputs].abs().sum(1) + (units[:, inputs:].sum(1) - 1).abs()).argsort(stable=True)
    slopes = [{word for row in graph.jacobian for word in names(row[k])} for k in range(len(units))]
    chosen: list[int] = []
    for k in as_outputs.tolist():
        word, others = graph.parameters[k], {graph.parameters[j] for j in chosen}
        apart = not slopes[k] & {word, *others} and not any(word in slopes[j] for j in chosen)
        if wanted[k] and apart and word not in graph.fixed:
            chosen.append(k)
    return np.isin(np.arange(len(units)), chosen)


def _found(graph: Graph, samples: _Samples, search: Search, units: Tensor, linear: np.ndarray) -> Tensor:
    size = len(search.wanted)
    points = hypercubes(search.seeds, search.starts, search.most_starts, CANDIDATES, 2 * size)
    drawn = candidates(units, len(graph.inputs), samples.extent, points)
    drawn = drawn.masked_fill(torch.from_numpy(linear), 0.0)
    drawn = torch.where(search.wanted, drawn, search.given[:, None])
    return _fitted(graph, samples, search, _within(drawn, search.lower, search.upper), linear)


def _within(values: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The values within their bounds: mirrored at 0 where that helps."""
    outside = (values < lower) | (values > upper)
    return torch.where(outside, -values, values).clamp(lower, upper)


def _fitted(graph: Graph, samples: _Samples, search: Search, drawn: Tensor, linear: np.ndarray) -> Tensor:
    """The best of a few fits, from the best candidates of each run, [R, P]."""
    # numba takes a second to import
    from ...kernels.least_squares.numba_solver import NumbaSolver, best_candidates  # noqa: PLC0415 (see above)

    runs, _, size = drawn.shape
    best, squares = best_candidates(graph, samples.problem, drawn, linear, search.lower, search.upper, FITTED)
    start = best.nan_to_num(0.0).flatten(0, 1).contiguous()
    repeated = samples.of(torch.arange(runs).repeat_interleave(FITTED)).problem
    rules = Rules.unbounded(repeated, start, steps=STEPS)
    every = torch.ones_like(start)
    rules = replace(
        rules, lower=search.lower * every, upper=search.upper * every, free=search.wanted.expand_as(start)
    )
    solver = NumbaSolver(graph, repeated, start.clone(), rules, damped=True)
    solver.advance(STEPS)
    (_, ended), *_ = solver.solutions()
    after = ended.rss.view(runs, FITTED)
    better = after < squares
    points = torch.where(better[..., None], solver.parameters.view(runs, FITTED, size), best)
    chosen = _choose(torch.where(better, after, squares), points)
    results = points[torch.arange(runs), chosen]
    found = squares.isfinite().any(1) & (samples.segments.counts > 0)
    return results.where(found[:, None], torch.nan)


def _choose(squares: Tensor, points: Tensor) -> Tensor:
    """The least of squares [R, M], or of those that are as good that of the fewest negative parameters, [R].

    Many equations have minima that are mirror images, as those of (x/c)^n with n and -n.
    """
    equal = squares <= squares.amin(1, keepdim=True) * EQUAL
    negative = (points < 0).sum(2).double().where(equal, torch.inf)
    return squares.where(negative == negative.amin(1, keepdim=True), torch.inf).argmin(1)
