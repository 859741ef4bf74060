"""compute.* -> a device, a dtype and a backend."""

import platform
from dataclasses import dataclass

import torch

from kernels.errors import UserError
from trainer import config


@dataclass(frozen=True)
class Compute:
    """Where and how precisely to compute; `name` is the device's, for people."""

    device: torch.device
    dtype: torch.dtype
    backend: str
    name: str


def prepare_compute(asked: config.Compute) -> Compute:
    """Resolves `auto`, and sets the precision of float32 matrix products. Raises UserError."""
    device = _device(asked.device)
    if asked.precision == "tf32" and device.type != "cuda":
        raise UserError("compute.precision=tf32 is a format of NVIDIA's tensor cores; on the CPU use fp32")
    torch.set_float32_matmul_precision("high" if asked.precision == "tf32" else "highest")
    dtype = torch.float64 if asked.precision == "fp64" else torch.float32
    on_cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_cuda else f"cpu ({platform.machine()})"
    return Compute(device, dtype, "reference", name)


def _device(asked: str) -> torch.device:
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
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
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device
