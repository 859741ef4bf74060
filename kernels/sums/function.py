"""The public function of the sums."""

from torch import Tensor


def sum_in_order(terms: Tensor, backend: str = "reference") -> Tensor:
    """The sum of each row: terms [..., S] -> [...] in their dtype, in an order that depends on S alone.

    torch's own sums depend on R too: several threads share a long row, but not one of many rows.

    >>> import torch
    >>> from packtrain.kernels.sums import sum_in_order
    >>> sum_in_order(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist()
    [6.0, 15.0]
    """
    if backend == "triton":
        from .kernel import sum_parts  # noqa: PLC0415 (triton is slow to import)

        return sum_parts(terms[..., None], terms.dtype)[:, 0]
    return _by_halves(terms)


def _by_halves(terms: Tensor) -> Tensor:
    """Adds the second half to the first, until one number is left."""
    size = terms.shape[-1]
    if size <= 1:
        return terms.sum(-1)
    half = size - size // 2
    sums = terms[..., :half].clone()
    sums[..., : size - half] += terms[..., half:]
    while half > 1:
        size, half = half, half - half // 2
        sums[..., : size - half] += sums[..., half:size]
    return sums[..., 0]
