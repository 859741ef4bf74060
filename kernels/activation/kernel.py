"""Activations on the GPU: forward and backward, a pass over memory each."""

# pyright: reportGeneralTypeIssues=false
# (Triton's types are those of its own Python front end)

from functools import cache
from types import ModuleType

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..common import launch, source_cache
from ..equations.activations import Activation
from ..expression.triton_table import HEADER
from .triton_source import functions

BLOCK = 1024


@triton.jit(do_not_specialize=["size"])
def activation_fwd_kernel(z_ptr, a_ptr, size, activated: tl.constexpr, BLOCK: tl.constexpr):
    """a = f(z): BLOCK numbers."""
    at, inside = _places(size, BLOCK)
    z = tl.load(z_ptr + at, mask=inside, other=0.0)
    a, _ = activated(z)
    tl.store(a_ptr + at, a, mask=inside)


@triton.jit(do_not_specialize=["size"])
def activation_bwd_kernel(
    z_ptr, da_ptr, dz_ptr, size, activated: tl.constexpr, passed_back: tl.constexpr, BLOCK: tl.constexpr
):
    """dz = da f'(z): BLOCK numbers."""
    at, inside = _places(size, BLOCK)
    z = tl.load(z_ptr + at, mask=inside, other=0.0)
    da = tl.load(da_ptr + at, mask=inside, other=0.0)
    _, slope = activated(z)
    tl.store(dz_ptr + at, passed_back(da, slope), mask=inside)


@triton.jit
def _places(size, BLOCK: tl.constexpr):
    """The places of a program's numbers, and which there are."""
    start = tl.program_id(0).to(tl.int64) * BLOCK
    n = tl.arange(0, BLOCK)
    return start + n, n < tl.minimum(size - start, BLOCK).to(tl.int32)


def activation_fwd(z: Tensor, activation: Activation) -> Tensor:
    """a = f(z) of any shape, as activation_reference defines it."""
    z, code = launch.aligned(z), _code(activation)
    a = torch.empty_like(z)
    if z.numel():
        programs = launch.parts(z.numel(), BLOCK)
        launch.launch(
            activation_fwd_kernel, programs, z, a, z.numel(), code.activated, BLOCK, num_warps=4,
            maxnreg=launch.MOST_REGISTERS,
        )  # fmt: skip
    return a


def activation_bwd(z: Tensor, da: Tensor, activation: Activation) -> Tensor:
    """dz = da f'(z) of any shape, as activation_backward_reference defines it."""
    z, da, code = launch.aligned(z), launch.aligned(da), _code(activation)
    dz = torch.empty_like(da)
    if z.numel():
        programs = launch.parts(z.numel(), BLOCK)
        launch.launch(
            activation_bwd_kernel, programs, z, da, dz, z.numel(), code.activated, code.passed_back, BLOCK,
            num_warps=4, maxnreg=launch.MOST_REGISTERS,
        )  # fmt: skip
    return dz


@cache
def _code(activation: Activation) -> ModuleType:
    return source_cache.load(HEADER + functions(activation))
