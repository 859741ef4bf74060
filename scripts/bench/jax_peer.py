"""JAX as a peer, where it is installed: ways that take and give torch tensors without a copy."""

import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from scripts.bench.timing import Way

INSTALLED = importlib.util.find_spec("jax") is not None

PRECISION = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": "default"}


def load() -> Any:
    """The module `jax`, set to leave memory to others."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it takes most of it
    import jax  # noqa: PLC0415  # pyright: ignore[reportMissingImports] (an optional peer)

    return jax


def serves(device: str) -> bool:
    """Whether JAX is installed and computes on this kind of device."""
    return INSTALLED and load().default_backend() == ("gpu" if device.startswith("cuda") else "cpu")


def way(
    make: Callable[[Any, Any], Callable[..., Any]], *operands: Tensor, product: str = "fp32"
) -> dict[str, Way]:
    """{"jax": a way} that calls make(jax, jax.numpy), compiled, with `operands`; {} without JAX.

    JAX runs on streams of its own and can't be captured: the host's part counts against it.
    """
    if not INSTALLED:
        return {}
    jax = load()
    function = jax.jit(make(jax, jax.numpy))
    arrays = [jax.dlpack.from_dlpack(operand.detach().contiguous()) for operand in operands]

    def run() -> Sequence[Tensor]:
        with jax.default_matmul_precision(PRECISION[product]):
            results = jax.block_until_ready(function(*arrays))
        return [torch.from_dlpack(result) for result in results]

    run.uncaptured = True  # pyright: ignore[reportFunctionMemberAccess]
    return {"jax": run}
