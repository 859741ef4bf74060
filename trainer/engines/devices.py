"""compute.device, .precision and .backend -> a device, a dtype and what computes."""

import os
import platform
from dataclasses import dataclass

import torch

from ...kernels.common.errors import UserError
from ..config import schema

TILES = 163 << 10  # bytes of shared memory that the largest tiles of our kernels take, as sm_80 has them


@dataclass(frozen=True)
class Compute:
    """Where, how precisely and through what to compute; `name` is the device's, for people."""

    device: torch.device
    dtype: torch.dtype
    name: str
    backend: str


def prepare_compute(asked: schema.ComputeConfig) -> Compute:
    """Resolves `auto`, and sets the precision of float32 matrix products. Raises UserError."""
    device = _device(asked.device)
    if asked.precision == "tf32" and device.type != "cuda":
        raise UserError("compute.precision=tf32 is a format of NVIDIA's tensor cores; on the CPU use fp32")
    # tf32 holds every bf16 number, so operands rounded to bf16 lose nothing more in it.
    rounded = asked.precision in ("tf32", "bf16")
    torch.set_float32_matmul_precision("high" if rounded else "highest")
    dtype = torch.float64 if asked.precision == "fp64" else torch.float32
    on_cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_cuda else f"cpu ({platform.machine()})"
    return Compute(device, dtype, name, _backend(asked.backend, device))


def _backend(asked: str, device: torch.device) -> str:
    """What computes losses and gradients: Triton on CUDA (interpreted, where one asks for that), Numba else.

    Numba serves equations; perceptrons on the CPU are the reference's.
    """
    if asked == "numba" and device.type != "cpu":
        raise UserError(
            f"compute.backend=numba runs on the CPU, and this run is on {device}: "
            "compute.device=cpu, or compute.backend=auto, which takes what serves"
        )
    if device.type == "cuda" and _memory_of_a_block(device) < TILES:
        if asked == "triton":
            raise UserError(
                f"compute.backend=triton needs {TILES >> 10} KiB of shared memory a block, as A100 and H100 "
                f"have, and {torch.cuda.get_device_name(device)} has {_memory_of_a_block(device) >> 10}; "
                "compute.backend=auto takes what serves"
            )
        return "reference"
    if asked == "auto":
        return "triton" if device.type == "cuda" else "numba"
    if asked == "triton" and device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise UserError(
            f"compute.backend=triton needs a CUDA GPU, and this run is on {device}; "
            "compute.backend=auto takes what serves"
        )
    return asked


def _current(device: torch.device) -> torch.device:
    """`device` with its number, made the current one."""
    numbered = torch.device("cuda", device.index or 0)
    torch.cuda.set_device(numbered)
    return numbered


def _device(asked: str) -> torch.device:
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"compute.device is auto, cpu, cuda or cuda:N; got {asked!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"compute.device={asked}: torch sees {torch.cuda.device_count()} CUDA devices here; "
            "compute.device=auto takes what there is"
        )
    return _current(device) if device.type == "cuda" else device


def _memory_of_a_block(device: torch.device) -> int:
    properties = torch.cuda.get_device_properties(device)
    return getattr(properties, "shared_memory_per_block_optin", TILES)  # older torch doesn't say
