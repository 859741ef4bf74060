"""One function alone in a fit, y = a f(k x) + c, and the ways to compute its loss and gradient."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import ModuleType
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from packtrain.kernels.expression import expression_loss
from packtrain.kernels.language import parse
from scripts.bench import jax_peer
from scripts.bench.case import OURS, loss_and_gradient
from scripts.bench.timing import Way

ALONE = 1 << 14  # values that NumPy's function takes at once: they stay in a second-level cache
TIMES = 16  # that many calls, one after another
PARAMETERS = {"a": 1.3, "k": 0.7, "c": 0.2}
HAS_NUMEXPR = importlib.util.find_spec("numexpr") is not None
NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Function:
    """f of the model's `text`, for x from `low` to `high`, as each peer writes it.

    alone(u, out) is NumPy's or SciPy's own. `by_torch` and `by_jax` take k and x, the latter after jax.
    `value` and `slope` are f and df/dk for numexpr, which knows f by then; '' where it has no such function.
    """

    name: str
    text: str
    low: float
    high: float
    alone: Callable[..., Any]
    by_torch: Callable[[Tensor, Tensor], Tensor]
    by_jax: Callable[[Any, Any, Any], Any]
    value: str
    slope: str


def _plain(
    name: str,
    slope: str,
    alone: Callable[..., Any],
    low: float = -5.0,
    high: float = 5.0,
    value: str | None = None,
    of_jax: str = "numpy.{}",
) -> Function:
    """f(k x), which goes by its name."""

    def by_torch(k: Tensor, x: Tensor) -> Tensor:
        return getattr(torch, name)(k * x)

    def by_jax(jax: Any, k: Any, x: Any) -> Any:
        return attrgetter(of_jax.format(name))(jax)(k * x)

    value = f"{name}(k*x)" if value is None else value
    return Function(name, f"xy = a*{name}(k*xt) + c", low, high, alone, by_torch, by_jax, value, slope)


FUNCTIONS = (
    _plain("exp", "f*x", np.exp),
    _plain("log", "x/(k*x)", np.log, low=0.1),
    _plain("sin", "cos(k*x)*x", np.sin, low=-20.0, high=20.0),
    _plain("cos", "-sin(k*x)*x", np.cos, low=-20.0, high=20.0),
    _plain("tanh", "(1 - f*f)*x", np.tanh),
    Function(
        name="pow",
        text="xy = a*xt^k + c",
        low=0.1,
        high=5.0,
        alone=lambda u, out: np.power(u, out.dtype.type(PARAMETERS["k"]), out=out),
        by_torch=lambda k, x: x**k,
        by_jax=lambda _, k, x: x**k,
        value="x**k",
        slope="f*log(x)",
    ),
    _plain("sqrt", "x/(2*f)", np.sqrt, low=0.1),
    _plain("sigmoid", "f*(1 - f)*x", special.expit, value="1/(1 + exp(-k*x))", of_jax="nn.{}"),
    _plain("erf", "", special.erf, value="", of_jax="scipy.special.{}"),
)


@dataclass(frozen=True)
class Samples:
    """A function, inputs and targets [B, 1] and parameters [1, 3] in the order a, k, c, all of one dtype."""

    function: Function
    inputs: Tensor
    targets: Tensor
    parameters: Tensor


def samples_of(function: Function, dtype: torch.dtype, count: int) -> Samples:
    """Inputs drawn evenly, and the targets of other parameters, with noise."""
    generator = torch.Generator().manual_seed(count)
    x, noise = (torch.rand(count, 1, generator=generator, dtype=torch.float64) for _ in range(2))
    x = function.low + (function.high - function.low) * x
    t = function.by_torch(torch.tensor(0.9 * PARAMETERS["k"], dtype=torch.float64), x) + noise
    p = torch.tensor([list(PARAMETERS.values())], dtype=torch.float64)
    return Samples(function, x.to(dtype), t.to(dtype), p.to(dtype))


def ways(given: Samples, compiled: bool = True) -> tuple[dict[str, Way], dict[str, str]]:
    """The ways to the loss [1] and its gradient [1, 3], and why others can't be had.

    Raises ExpressionError where the language doesn't have the function.
    """
    result = {OURS: _ours(given), "torch": _by_torch(given, compiled=False)}
    missing: dict[str, str] = {}
    if compiled:
        result["torch.compile"] = _by_torch(given, compiled=True)
    if HAS_NUMEXPR and given.function.value:
        result["numexpr"] = _by_numexpr(given)
    else:
        missing["numexpr"] = f"has no {given.function.name}" if HAS_NUMEXPR else NOT_INSTALLED
    if jax_peer.INSTALLED:
        result |= _by_jax(given)
    else:
        missing["jax"] = NOT_INSTALLED
    return result, missing


def alone(given: Samples) -> Callable[[], None]:
    """NumPy's function alone, TIMES over ALONE values, or fewer where there are fewer samples."""
    u = given.inputs[:ALONE, 0].numpy().copy()
    if given.function.name != "pow":
        u *= PARAMETERS["k"]
    out, function = np.empty_like(u), given.function.alone

    def run() -> None:
        for _ in range(TIMES):
            function(u, out=out)

    return run


def values_alone(given: Samples) -> int:
    """The values that one call of `alone` computes."""
    return TIMES * min(ALONE, len(given.inputs))


def _ours(given: Samples) -> Way:
    graph, p = parse(given.function.text), given.parameters.clone().requires_grad_()
    assert graph.parameters == tuple(PARAMETERS)
    x, t = given.inputs, given.targets
    return loss_and_gradient(lambda: expression_loss(graph, p, x, t, "mse", None, "numba"), p)


def _by_torch(given: Samples, compiled: bool) -> Way:
    p, x, t = given.parameters.clone().requires_grad_(), given.inputs[:, 0], given.targets[:, 0]
    by_torch = given.function.by_torch

    def mean(p: Tensor, x: Tensor, t: Tensor) -> Tensor:
        a, k, c = p[0].unbind()
        return (a * by_torch(k, x) + c - t).square().mean()[None]

    function = torch.compile(mean) if compiled else mean
    return loss_and_gradient(lambda: function(p, x, t), p)


def _by_jax(given: Samples) -> dict[str, Way]:
    jax_peer.load().config.update("jax_enable_x64", True)
    by_jax = given.function.by_jax

    def make(jax: Any, jnp: ModuleType) -> Callable[..., Any]:
        def mean(p: Any, x: Any, t: Any) -> Any:
            return jnp.mean((p[0] * by_jax(jax, p[1], x) + p[2] - t) ** 2)

        def both(p: Any, x: Any, t: Any) -> Any:
            value, gradient = jax.value_and_grad(mean)(p[0], x[:, 0], t[:, 0])
            return value[None], gradient[None]

        return both

    return jax_peer.way(make, given.parameters, given.inputs, given.targets)


def _by_numexpr(given: Samples) -> Way:
    """Passes of numexpr, whose results NumPy adds up."""
    import numexpr  # noqa: PLC0415  # pyright: ignore[reportMissingImports] (an optional peer)

    numexpr.set_num_threads(1)
    x, t, p = given.inputs[:, 0].numpy(), given.targets[:, 0].numpy(), given.parameters[0].numpy()
    f, e, slope = (np.empty_like(x) for _ in range(3))
    names: Mapping[str, Any] = dict(zip(PARAMETERS, p, strict=True)) | {"x": x, "t": t, "f": f}
    a, count, function = p[0], len(x), given.function

    def run() -> Sequence[Tensor]:
        numexpr.evaluate(function.value, names, {}, out=f, casting="same_kind")
        numexpr.evaluate("a*f + c - t", names, {}, out=e)
        numexpr.evaluate(function.slope, names, {}, out=slope, casting="same_kind")
        gradient = [2 * (e @ f) / count, 2 * a * (e @ slope) / count, 2 * e.sum() / count]
        return [torch.tensor([e @ e / count]), torch.tensor([gradient])]

    return run
