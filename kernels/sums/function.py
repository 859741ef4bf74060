"""The public function of the sums."""

from torch import Tensor


def sum_in_order(terms: Tensor, backend: str = "reference") -> Tensor:
    """The sum of each row of `terms` [R, S], in its dtype: [R], in an order that S alone decides.

    torch's own sums go by the number of rows too: threads share one long row, and no row of many.
    """
    if backend == "triton":
        from .kernel import sum_parts  # noqa: PLC0415 (triton is slow to import)

        return sum_parts(terms[..., None], terms.dtype)[:, 0]
    return _by_halves(terms)


def _by_halves(terms: Tensor) -> Tensor:
    """The second half is added to the first, as long as there are two."""
    size = terms.shape[1]
    if size <= 1:
        return terms.sum(1)
    half = size - size // 2
    found = terms[:, :half].clone()
    found[:, : size - half] += terms[:, half:]
    return _by_halves(found)
