"""Linear layers with ReLU, alone and in a chain of 4: forward, backward, both, against torch and JAX."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from packtrain.kernels.linear_relu import linear_relu_chain
from scripts.bench import jax_peer
from scripts.bench.case import OURS, Case, randn
from scripts.bench.limits import FORMATS
from scripts.bench.timing import Way

SIZES = {"cuda": ((1 << 16, 1 << 20), (64, 128, 256, 1024, 4096)), "cpu": ((1 << 12,), (64, 128))}
LAYERS = (1, 4)
PRODUCTS = {"cuda": ("fp32", "tf32", "bf16"), "cpu": ("fp32",)}
MOST_BYTES = 60 << 30  # of a case's activations, in all ways
WAYS = 3  # each keeps its own

Chain = Callable[[Tensor, Sequence[Tensor], Sequence[Tensor]], Tensor]


def cases(device: str) -> Iterator[Case]:
    """Three passes of each chain that fits into MOST_BYTES."""
    kind = torch.device(device).type
    batches, widths = SIZES[kind]
    for product in PRODUCTS[kind]:
        for samples in batches:
            for width in widths:
                for layers in LAYERS:
                    if WAYS * (4 * layers + 4) * samples * width * FORMATS[product].itemsize <= MOST_BYTES:
                        yield from _passes(device, samples, width, layers, product)


def _passes(device: str, samples: int, width: int, layers: int, product: str) -> Iterator[Case]:
    dtype = FORMATS[product]
    x = randn(samples, width, device=device, dtype=dtype).requires_grad_()
    weights = [
        (randn(width, width, device=device) / width**0.5).to(dtype).requires_grad_() for _ in range(layers)
    ]
    biases = [randn(width, device=device, dtype=dtype).requires_grad_() for _ in range(layers)]
    slope = randn(samples, width, device=device, dtype=dtype)
    compiled = torch.compile(_torch, mode="max-autotune-no-cudagraphs")
    chains: dict[str, Chain] = {OURS: _ours(product, device), "torch": _torch, "torch.compile": compiled}
    leaves = [x, *weights, *biases]
    a_pass = samples * width * dtype.itemsize
    operations = 2 * samples * width * width * layers

    def case(name: str, ways: dict[str, Way], passes: int, products: int) -> Case:
        what = {"what": name, "layers": layers, "B": samples, "D": width, "product": product}
        return Case(what, ways, product, passes * a_pass, products * operations, samples)

    with torch.no_grad():
        forward: dict[str, Way] = {n: _forward(c, x, weights, biases) for n, c in chains.items()}
        forward |= {"addmm_activation": _forward(_addmm_activation, x, weights, biases)}
        yield case("forward", forward | _jax(x, weights, biases, None, product), 2 * layers, 1)
    backward = {n: _backward(c(x, weights, biases), leaves, slope) for n, c in chains.items()}
    yield case("backward", backward, 3 * layers + 1, 2)
    del backward  # and the values it holds
    both: dict[str, Way] = {n: _both(c, x, weights, biases, leaves, slope) for n, c in chains.items()}
    yield case("both", both | _jax(x, weights, biases, slope, product), 5 * layers + 1, 3)


def _ours(product: str, device: str) -> Chain:
    backend = "triton" if device.startswith("cuda") else "reference"
    how = "tf32" if product == "tf32" else "ieee"

    def chain(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
        layers = [(weight[None], bias[None]) for weight, bias in zip(weights, biases, strict=True)]
        return linear_relu_chain(x, layers, True, how, backend).squeeze(0)

    return chain


def _torch(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    for weight, bias in zip(weights, biases, strict=True):
        x = torch.relu(torch.nn.functional.linear(x, weight, bias))
    return x


def _addmm_activation(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    for weight, bias in zip(weights, biases, strict=True):
        x = torch._addmm_activation(bias, x, weight.t())  # pyright: ignore[reportPrivateImportUsage]
    return x


def _forward(chain: Chain, x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Way:
    def run() -> list[Tensor]:
        with torch.no_grad():
            return [chain(x, weights, biases)]

    return run


def _backward(y: Tensor, leaves: Sequence[Tensor], slope: Tensor) -> Way:
    return lambda: torch.autograd.grad(y, leaves, slope, retain_graph=True)


def _both(
    chain: Chain,
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    leaves: Sequence[Tensor],
    slope: Tensor,
) -> Way:
    return lambda: torch.autograd.grad(chain(x, weights, biases), leaves, slope)


def _jax(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], slope: Tensor | None, product: str
) -> dict[str, Way]:
    """The chain in JAX, and with `slope` its gradients."""
    count = len(weights)

    def make(jax: Any, jnp: Any) -> Callable[..., Any]:
        def chain(x: Any, *parts: Any) -> Any:
            for weight, bias in zip(parts[:count], parts[count:], strict=True):
                x = jnp.maximum(x @ weight.T + bias, 0)
            return x

        def forward(*operands: Any) -> Any:
            return (chain(*operands),)

        def both(slope: Any, *operands: Any) -> Any:
            return jax.vjp(chain, *operands)[1](slope)

        return forward if slope is None else both

    return jax_peer.way(make, *([] if slope is None else [slope]), x, *weights, *biases, product=product)
