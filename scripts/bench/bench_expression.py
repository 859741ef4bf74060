"""Loss and gradient of expression graphs: the primer and five larger ones, for one run and for many.

The limit of arithmetic is the peak of matrix products, which counts a multiply-add as two operations:
a graph with few of them can reach half of it.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from packtrain.kernels.common import source_cache
from packtrain.kernels.expression import expression_loss
from packtrain.kernels.expression.statements import leaves, statements
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.expr import constant
from packtrain.kernels.language.ops import OPS
from scripts.bench import jax_peer
from scripts.bench.case import OURS, Case, loss_and_gradient, randn
from scripts.bench.timing import Way

PEAK = "x{i} = a{i}*exp(-((xa - b{i})^2 + (xb - c{i})^2)/(2*d{i}^2))"
GRAPHS = {
    "primer": ["xx = xa^2", "xy = ab*xx + ac*xa", "xz = bc*xx + xy", "xw = cd*xx + xz^3"],
    "polynomial": ["xy = a + b*xa + c*xa^2 + d*xa^3 + e*xa^4 + f*xa^5 + g*xa^6 + h*xa^7"],
    "decays": ["xy = a*exp(-b*xa) + c*exp(-d*xa) + e*exp(-f*xa) + g"],
    "waves": ["xy = a*sin(b*xa + c) + d*sin(e*xa + f)*exp(-g*xb) + h"],
    "peaks": [*(PEAK.format(i=i) for i in range(6)), "xy = " + " + ".join(f"x{i}" for i in range(6))],
    "network": [
        *(f"x{i} = tanh(a{i}*xa + b{i}*xb + c{i}*xc + d{i})" for i in range(6)),
        "xy = " + " + ".join(f"w{i}*x{i}" for i in range(6)) + " + w6",
    ],
}
SIZES = {
    "cuda": [(1, 1 << n) for n in (13, 16, 20, 24, 26)] + [(64, 1 << 13), (64, 1 << 20), (4096, 1 << 13)],
    "cpu": [(1, 1 << 13), (1, 1 << 20), (64, 1 << 13)],
}
MOST_NUMBERS = 1 << 31  # a peer that keeps every intermediate value takes up to so many


def cases(device: str) -> Iterator[Case]:
    """Each graph with each of SIZES: (R, B)."""
    for name, text in GRAPHS.items():
        for runs, samples in SIZES[torch.device(device).type]:
            yield _case(device, name, parse(text), runs, samples)


def _case(device: str, name: str, graph: Graph, runs: int, samples: int) -> Case:
    p = (0.5 + randn(runs, len(graph.parameters), device=device).abs() / 4).requires_grad_()
    x, t = (randn(samples, len(names), device=device) / 2 for names in (graph.inputs, graph.outputs))
    backend = "triton" if device.startswith("cuda") else "reference"
    ours = partial(expression_loss, graph, p, x, t, "mse", None, backend)
    ways: dict[str, Way] = {OURS: loss_and_gradient(ours, p)}
    numbers = len(graph.program) * runs * samples
    if numbers <= MOST_NUMBERS:
        mean = _torch(graph)
        compiled = torch.compile(mean, mode="max-autotune-no-cudagraphs")
        ways |= {"torch": loss_and_gradient(lambda: mean(p, x, t), p)}
        ways |= {"torch.compile": loss_and_gradient(lambda: compiled(p, x, t), p)}
    ways |= jax_peer.way(_jax(graph), p, x, t)
    parts = [part for part in (*graph.program, *graph.gradient_program) if part.args]
    steps = len(parts) + 4 * len(graph.outputs) + 1 + len(graph.parameters)  # with the loss and the sums
    moved = 4 * samples * (len(graph.inputs) + len(graph.outputs))
    what = {"what": name, "R": runs, "B": samples, "parameters": len(graph.parameters)}
    return Case(what, ways, "fp32", moved, steps * runs * samples, samples * runs)


def _torch(graph: Graph) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The mean squared error as one would write it in torch: a line an operation."""
    table = {op: (lambda *args, op=op: f"torch.{op}({', '.join(map(str, args))})") for op in OPS}
    table |= {"neg": lambda x: f"-{x}"}
    texts, levels = leaves(graph)
    lines = [f"p{i} = p[:, {i}, None]" for i in range(len(graph.parameters))]
    lines += [f"x{i} = x[:, {i}]" for i in range(len(graph.inputs))]
    lines += [line for level in statements(graph.program, texts, levels, table) for line in level]
    outputs = ", ".join(texts[graph.lowered[output]] for output in graph.outputs)
    body = "".join(f"    {line}\n" for line in lines)
    mean = f"    return (torch.stack([{outputs}], -1) - t).square().mean((1, 2))\n"
    return source_cache.load(f"import torch\n\n\ndef loss(p, x, t):\n{body}{mean}").loss


def _jax(graph: Graph) -> Callable[[Any, Any], Callable[..., Any]]:
    """vmap over runs of value_and_grad of the mean squared error."""

    def make(jax: Any, jnp: Any) -> Callable[..., Any]:
        functions = {"neg": jnp.negative, "min": jnp.minimum, "max": jnp.maximum, "exp": jnp.exp} | {
            op: getattr(jnp, op) for op in ("sin", "cos", "tanh", "log", "sqrt", "abs")
        }
        operators = {
            "add": lambda a, b: a + b,
            "sub": lambda a, b: a - b,
            "mul": lambda a, b: a * b,
            "div": lambda a, b: a / b,
        }

        def loss(p: Any, x: Any, t: Any) -> Any:
            values = {word: p[i] for i, word in enumerate(graph.parameters)}
            values |= {word: x[:, i] for i, word in enumerate(graph.inputs)}
            results: dict[Any, Any] = {}
            for part in graph.program:
                args = [results[arg] for arg in part.args]
                if part.op == "number":
                    results[part] = constant(part)
                elif part.op == "name":
                    results[part] = values[str(part.value)]
                elif part.op == "pow":
                    results[part] = args[0] ** int(args[1])
                else:
                    results[part] = (operators | functions)[part.op](*args)
            outputs = [results[graph.lowered[output]] for output in graph.outputs]
            return sum(((y - t[:, k]) ** 2).mean() for k, y in enumerate(outputs)) / len(outputs)

        return jax.vmap(jax.value_and_grad(loss), (0, None, None))

    return make
