"""Whether data are the same as before: one number for all that a training sees."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from torch import Tensor

from .dataset import Data, Dataset

ROWS = 1 << 22  # hashed at a time, by a thread each


def digest(data: Data) -> str:
    """BLAKE2b of every number that is trained on or judged by, in its order, and of the names.

    About 1 GB/s a core: 2^26 samples of two float32 numbers take 0.5 s of one.
    """
    whole = hashlib.blake2b(digest_size=16)
    with ThreadPoolExecutor() as threads:
        for part in filter(None, (data.train, data.validation)):
            whole.update(repr((part.input_names, part.target_names)).encode())
            for each in _tensors(part):
                whole.update(f"{each.dtype} {tuple(each.shape)}".encode())
                for found in threads.map(_hashed, each.split(ROWS)):
                    whole.update(found)
    return whole.hexdigest()


def _tensors(part: Dataset) -> Iterator[Tensor]:
    found = part.inputs, part.targets, part.weights, part.mean, part.std
    yield from (each for each in found if each is not None)


def _hashed(rows: Tensor) -> bytes:
    return hashlib.blake2b(rows.cpu().contiguous().numpy().data).digest()
