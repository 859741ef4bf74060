"""Computing as a config says, where a device's memory may be short."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ...kernels.common.errors import UserError
from .devices import Compute

NO_MEMORY = (
    "the device's memory is too small for this training, even in parts: take a smaller "
    "loop.batch_size or data.size, fewer runs, or compute.device=cpu"
)


@contextmanager
def at_work(compute: Compute) -> Iterator[None]:
    """Inside `with`, torch computes as `compute` says. Raises UserError where memory is short.

    >>> with at_work(Compute(torch.device("cpu"), torch.float32, "cpu", "high")):
    ...     torch.get_float32_matmul_precision()
    'high'
    """
    with enough_memory(), compute.entered():
        yield


@contextmanager
def enough_memory() -> Iterator[None]:
    """Inside `with`, too little memory on the device is a UserError.

    >>> with enough_memory():
    ...     raise torch.OutOfMemoryError  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    UserError: the device's memory is too small for this training
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(NO_MEMORY) from None
