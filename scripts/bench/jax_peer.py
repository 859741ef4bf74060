"""JAX as a peer, where it is installed: ways that take and give torch tensors without a copy."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from scripts.bench.timing import Way

INSTALLED = importlib.util.find_spec("jax") is not None


def way(make: Callable[[Any, Any], Callable[..., Any]], *operands: Tensor) -> dict[str, Way]:
    """{"jax": ...} of make(jax, jax.numpy), compiled, called with `operands`; nothing without JAX."""
    if not INSTALLED:
        return {}
    import jax  # noqa: PLC0415  # pyright: ignore[reportMissingImports] (an optional peer)

    function = jax.jit(make(jax, jax.numpy))
    given = [jax.dlpack.from_dlpack(operand.detach().contiguous()) for operand in operands]

    def run() -> Sequence[Tensor]:
        found = jax.block_until_ready(function(*given))
        return [torch.from_dlpack(each) for each in found]

    run.uncaptured = True  # pyright: ignore[reportFunctionMemberAccess]
    return {"jax": run}
