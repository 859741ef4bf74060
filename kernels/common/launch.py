"""What all launchers share: aligned tensors, sizes of tiles, and how a kernel is launched and tuned."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton import knobs

from . import compiling, triton_cache
from .errors import UserError

ALIGNMENT = 16  # bytes: Triton compiles another kernel for pointers that are not multiples of it
MOST_PROGRAMS = 2**31 - 1  # of the first axis of a grid
MOST_REGISTERS = 255  # of a thread: unasked, the compiler may take fewer and spill
SHORTEST_DOT = 16  # of the sides of a tile that tl.dot takes
INTERPRETED = knobs.runtime.interpret
DTYPES = {
    torch.float64: tl.float64,
    torch.float32: tl.float32,
    torch.bfloat16: tl.bfloat16,
    torch.float16: tl.float16,
}


def aligned(tensor: Tensor) -> Tensor:
    """`tensor`, contiguous and aligned, so that one compiled kernel (and one order of sums) serves all.

    >>> import torch
    >>> from packtrain.kernels.common.launch import aligned
    >>> aligned(torch.ones(3, 2).T).is_contiguous()
    True
    """
    tensor = tensor.contiguous()
    return tensor.clone() if tensor.data_ptr() % ALIGNMENT else tensor


def launch(kernel: Any, programs: int, *arguments: Any, **options: Any) -> None:
    """Runs so many programs of `kernel`, a grid of one axis, on the device of the first argument.

    Multiply-adds are fused, whatever Triton's default is.
    """
    assert programs <= MOST_PROGRAMS, f"{programs:,} programs: take fewer runs or samples at a time"
    compiling.watch_triton()
    first = arguments[0]
    device = torch.cuda.device(first.device if first.device.type == "cuda" else -1)  # -1: as it is
    with device, triton_cache.cached():
        kernel[(programs,)](*arguments, **options, enable_fp_fusion=True)


def parts(size: int, part: int) -> int:
    """How many parts of the size `part` make `size`; the last one may be smaller.

    >>> from packtrain.kernels.common.launch import parts
    >>> parts(10, 4)
    3
    """
    return -(-size // part)


def round_up(size: int, multiple: int) -> int:
    """The least multiple of `multiple` that is not below `size`.

    >>> from packtrain.kernels.common.launch import round_up
    >>> round_up(5, 4)
    8
    """
    return parts(size, multiple) * multiple


def power_of_2(size: int) -> int:
    """The least power of 2 that is not below `size`.

    >>> from packtrain.kernels.common.launch import power_of_2
    >>> power_of_2(5)
    8
    """
    return 1 << (size - 1).bit_length()


def padded(features: int) -> int:
    """The side of the tile that holds `features`: a power of 2, as tl.dot needs it.

    >>> from packtrain.kernels.common.launch import padded
    >>> [padded(features) for features in (3, 16, 17)]
    [16, 16, 32]
    """
    return max(SHORTEST_DOT, power_of_2(features))


def processors(tensor: Tensor) -> int:
    """How many multiprocessors the tensor's GPU has; 1 on the CPU, where kernels are interpreted.

    >>> import torch
    >>> from packtrain.kernels.common.launch import processors
    >>> processors(torch.ones(1))
    1
    """
    if tensor.device.type != "cuda":
        return 1
    return torch.cuda.get_device_properties(tensor.device).multi_processor_count


def has_tensor_descriptors(tensor: Tensor) -> bool:
    """Whether kernels may use tensor descriptors, and tiles that need 227 KB of shared memory.

    True for GPUs of compute capability 9.x and 10.x (Hopper and Blackwell of data centers), and for the
    CPU, where kernels are interpreted and cut up as there. False for 8.x, and for 12.x, whose shared
    memory is 99 KB.

    >>> import torch
    >>> from packtrain.kernels.common.launch import has_tensor_descriptors
    >>> has_tensor_descriptors(torch.ones(1))
    True
    """
    if tensor.device.type != "cuda":
        return True
    major, _ = torch.cuda.get_device_capability(tensor.device)
    return major in (9, 10)


def tuned(
    kernel: Any, choices: Sequence[triton.Config], key: Sequence[str], prune: Callable[..., Any] | None = None
) -> Any:
    """`kernel` with the fastest of `choices` for each `key`, measured at the first launch and kept on disk.

    `choices` leave the order of every sum alone, so the choice changes no bit. Interpreted, it is the
    first. `prune` drops those that can't serve.
    """
    prune_by = None if prune is None else {"early_config_prune": prune}
    choices = choices[:1] if INTERPRETED else choices
    return triton.autotune(list(choices), list(key), prune_configs_by=prune_by, cache_results=True)(kernel)


def check_device(tensor: Tensor, what: str, instead: str) -> None:
    """Raises UserError where Triton can't run `what`: on the CPU, unless it interprets.

    The message names `instead`, the setting that runs anywhere.
    """
    if tensor.device.type != "cuda" and not INTERPRETED:
        raise UserError(f"{what} runs on CUDA, and its input is on {tensor.device}; {instead} runs anywhere")
