"""Histograms as TensorBoard has them, and at which steps of a training there are some."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import math

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram import metadata
from tensorboard.util.tensor_util import make_tensor_proto

BUCKETS = 30  # as many as TensorBoard draws
MOST_NUMBERS = 1 << 20  # that are counted, of more some, evenly
LARGEST = np.finfo(np.float64).max / 4  # so that what lies between two numbers is finite
MOST_POINTS = 50  # of a training


def histogram(tag: str, values: np.ndarray) -> Summary | None:
    """How often numbers are how large, of those that are finite; None where none is.

    >>> histogram("weights", np.array([1.0, 2.0, np.nan])).value[0].tag
    'weights'
    >>> histogram("weights", np.array([np.nan])) is None
    True
    """
    values = values[:: -(-len(values) // MOST_NUMBERS) or 1].astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    tensor = make_tensor_proto(_buckets(values.clip(-LARGEST, LARGEST)), dtype=np.float64)
    about = metadata.create_summary_metadata(display_name=None, description=None)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=tensor)])


def _buckets(values: np.ndarray) -> np.ndarray:
    """[K, 3]: from, to, how many; of equal values all are in the last one, as TensorBoard has it."""
    low, high = values.min(), values.max()
    if not (high - low) / BUCKETS > 0:
        counts = np.zeros(BUCKETS)
        counts[-1] = len(values)
        return np.stack([np.full(BUCKETS, low), np.full(BUCKETS, high), counts], 1)
    counts, edges = np.histogram(values, BUCKETS, (low, high))
    return np.stack([edges[:-1], edges[1:], counts], 1)


def spacing(steps: int, every: int = 1, most: int = MOST_POINTS) -> int:
    """How many steps lie between two histograms of a training, a multiple of `every`: there are `most` or so.

    >>> spacing(1000), spacing(1000, every=15), spacing(3)
    (20, 30, 1)
    """
    return every * max(1, math.ceil(steps / (every * most)))
