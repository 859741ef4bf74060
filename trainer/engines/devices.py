"""compute.device and compute.precision -> where a session computes, and how precisely."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass

import torch

from ...kernels.common.errors import UserError
from ...kernels.common.source_cache import private_folder
from ..config import schema
from .leases import leased

ANY = "auto", "cuda"  # words of compute.device that don't say which device
UNNUMBERED: ContextVar[int] = ContextVar("which CUDA device those mean", default=0)


@dataclass(frozen=True)
class Compute:
    """A device with its `name` for people, the `dtype` of parameters, and how float32 products round.

    `matmul` is torch's word for the last: "highest", or "high" where operands are rounded.
    """

    device: torch.device
    dtype: torch.dtype
    name: str
    matmul: str = "highest"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Inside `with`, torch rounds products as asked for, and a CUDA device is the current one."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.matmul)
        try:
            with torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext():
                yield
        finally:
            torch.set_float32_matmul_precision(before)


@contextmanager
def own_device(config: schema.ComputeConfig) -> Iterator[None]:
    """Inside `with`, compute.device=auto or cuda is the CUDA device that the fewest trainings have.

    Those of this user are counted. Nothing is leased where the config names a device, where there are no two
    to choose from (as where CUDA_VISIBLE_DEVICES or a scheduler has chosen), or where torchrun gives each of
    its ranks one.

    >>> from packtrain.trainer.config.schema import ComputeConfig
    >>> with own_device(ComputeConfig(device="cpu")):
    ...     UNNUMBERED.get()
    0
    """
    count = torch.cuda.device_count() if config.device in ANY and "LOCAL_RANK" not in os.environ else 0
    if count < 2:
        yield
        return
    names = [str(torch.cuda.get_device_properties(number).uuid) for number in range(count)]
    with leased(names, private_folder() / "devices") as number:
        token = UNNUMBERED.set(number)
        try:
            yield
        finally:
            UNNUMBERED.reset(token)


def make_compute(config: schema.ComputeConfig) -> Compute:
    """Resolves compute.device=auto and cuda. Raises UserError for a device that isn't there or so precise.

    >>> from packtrain.trainer.config.schema import ComputeConfig
    >>> make_compute(ComputeConfig(device="cpu", precision="fp64")).dtype
    torch.float64
    """
    device = _device(config.device)
    if config.precision == "tf32" and device.type != "cuda":
        raise UserError("compute.precision=tf32 is a format of NVIDIA's tensor cores; on the CPU use fp32")
    dtype = torch.float64 if config.precision == "fp64" else torch.float32
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"
    # tf32 holds every bf16 number, so operands rounded to bf16 lose nothing more in it.
    return Compute(device, dtype, name, "high" if config.precision in ("tf32", "bf16") else "highest")


def _device(name: str) -> torch.device:
    """The device of that name, a CUDA one with its number. Raises UserError."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"compute.device is auto, cpu, cuda or cuda:N; got {name!r}")
    if device.type == "cpu":
        return device
    number = UNNUMBERED.get() if device.index is None else device.index
    if number >= torch.cuda.device_count():
        raise UserError(
            f"compute.device={name}: torch sees {torch.cuda.device_count()} CUDA devices here; "
            "compute.device=auto takes what there is"
        )
    return torch.device("cuda", number)
