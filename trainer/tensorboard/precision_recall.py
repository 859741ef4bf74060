"""Precision-recall curves of runs that say yes or no, as TensorBoard has them."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.pr_curve import metadata
from tensorboard.util.tensor_util import make_tensor_proto

from ...kernels.equations.losses import BINARY
from ..folder.predicted import Meaning
from ..folder.result import Result
from ..models.predict import predict

THRESHOLDS = 201  # from 0 to 1
MOST_SAMPLES, LEAST_SAMPLES = 200_000, 1_000
MOST_WORK = 2 * 10**9  # samples times parameters
MOST_LABELS = 20


def pr_curves(result: Result, run: int) -> Iterator[Summary]:
    """The curve of each label that one run says yes or no to, on the validation part if there is one.

    Of two classes there is one, of the second. None of numbers, of more classes, and without probabilities.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 2], loss="cross_entropy"),
    ...     data=DataConfig("table", table={"x": [1, 2, 3], "target": ["cat", "dog", "dog"]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> [curve.value[0].tag for curve in pr_curves(session.result(), run=0)]
    ['pr/dog']
    """
    data = (result.data if result.validation is None else result.validation).of_run(run).counted
    loss, names = result.model.loss_kind, data.target_names
    if not len(data) or not (loss.name == BINARY or (loss.of_classes and len(names) == 2)):
        return
    some = data.some(min(MOST_SAMPLES, max(LEAST_SAMPLES, MOST_WORK // result.model.parameters.shape[1])))
    alone = result.model.of(torch.tensor([run], device=result.model.parameters.device))
    probabilities = Meaning(loss, names, data.label).probabilities(predict(alone, some.inputs)[0])
    labels = range(some.targets.shape[1])[:MOST_LABELS]
    columns = zip(names[-len(labels) :], probabilities.cpu().numpy().T[-len(labels) :], labels, strict=True)
    for name, scores, label in columns:
        yield pr_curve(f"pr/{name}", scores, some.targets[:, label].cpu().numpy() > 0.5)


def pr_curve(tag: str, scores: np.ndarray, positive: np.ndarray) -> Summary:
    """The curve of probabilities [N] of samples that are `positive` or not [N].

    >>> pr_curve("pr", np.array([0.1, 0.9]), np.array([False, True])).value[0].tag
    'pr'
    """
    tensor = make_tensor_proto(counts(scores, positive), dtype=np.float32)
    about = metadata.create_summary_metadata(display_name=tag, description="", num_thresholds=THRESHOLDS)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=tensor)])


def counts(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """[6, THRESHOLDS]: true and false positives, true and false negatives, precision and recall.

    Samples [N] whose score is at least a threshold are said to be positive. Unknown shares are 0.

    >>> counts(np.array([0.1, 0.9]), np.array([False, True]))[:, [0, 100]].T.tolist()
    [[1.0, 1.0, 0.0, 0.0, 0.5, 1.0], [1.0, 0.0, 1.0, 0.0, 1.0, 1.0]]
    """
    thresholds = np.arange(THRESHOLDS) / (THRESHOLDS - 1)
    finite = np.nan_to_num(scores.astype(np.float64))
    tp, fp = (_at_least(finite[mask], thresholds) for mask in (positive, ~positive))
    fn, tn = positive.sum() - tp, (~positive).sum() - fp
    return np.stack([tp, fp, tn, fn, tp / np.maximum(tp + fp, 1), tp / np.maximum(tp + fn, 1)])


def _at_least(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds)
