"""Many small fits of an expression graph on the GPU: the triangle of each fit's [J | e], a lane a fit."""

from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from ..common import launch, source_cache
from ..equations.robust import Robust
from ..language.graph import Graph
from .triton_triangle_source import triangle_source

LANES = 32  # fits of a program, a warp: no lane's bits depend on it


def triangles(
    graph: Graph,
    parameters: Tensor,
    places: Tensor,
    inputs: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    loss: Robust | None = None,
    constants: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """|e|^2 [R] and R of the QR decomposition of [J | e] [R, P, P + 1], in float64, of fits of any sizes.

    J = sqrt(w) dy/dp and e = sqrt(w) (y - t) at parameters [R, P]. inputs [..., V], targets [..., T] and
    weights [...] or None hold all fits' samples, of which `places` [R, 4] says where a fit's own begin in
    each of the three, and how many they are. Of a `loss` with `constants` [R, C] see triangle_source.
    """
    launch.check_device(parameters, "the Triton kernel of many fits", "compute.backend=reference")
    runs, size = parameters.shape
    rss = parameters.new_empty(runs, dtype=torch.float64)
    upper = rss.new_zeros(runs, size, size + 1)
    if not runs:
        return rss, upper
    c = parameters if constants is None else constants.to(parameters.dtype)
    order = places[:, 3].argsort()  # lanes of a program go on until the longest fit of them ends
    given = (parameters, c, inputs, targets, inputs if weights is None else weights, places, order)
    launch.launch(
        _module(graph, weights is not None, loss).triangle, launch.parts(runs, LANES),
        *(launch.aligned(part.detach()) for part in given), rss, upper, runs,
        LANES=LANES, num_warps=1, maxnreg=launch.MOST_REGISTERS,
    )  # fmt: skip
    return rss, upper


@cache
def _module(graph: Graph, weighted: bool, loss: Robust | None) -> ModuleType:
    return source_cache.load(triangle_source(graph, weighted, loss))
