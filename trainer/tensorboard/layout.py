"""The charts of many runs' losses in TensorBoard's Custom Scalars."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import metadata
from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Chart,
    Layout,
    MarginChartContent,
    MultilineChartContent,
)
from tensorboard.util.tensor_util import make_tensor_proto

BEST, MEDIAN = "loss/train/best", "loss/train/median"
LOW, HIGH = "loss/train/quantile_10", "loss/train/quantile_90"
QUANTILES = {BEST: 0.0, LOW: 0.1, MEDIAN: 0.5, HIGH: 0.9}  # of the runs that still train


def loss_layout(validated: bool) -> Summary:
    """A chart of the band between quantiles, and charts that overlay the losses of all runs that are ticked.

    >>> loss_layout(validated=True).value[0].tag
    'custom_scalars__config__'
    """
    band = MarginChartContent.Series(value=MEDIAN, lower=LOW, upper=HIGH)
    charts = [
        Chart(title="median, 10 % to 90 % of the runs", margin=MarginChartContent(series=[band])),
        _overlay("best and median", BEST, MEDIAN),
        _overlay("training", "loss/train"),
        *[_overlay("validation", "loss/validation")] * validated,
    ]
    layout = Layout(category=[Category(title="loss", chart=charts)])
    tensor = make_tensor_proto(layout.SerializeToString(), DT_STRING)
    about = metadata.create_summary_metadata()
    return Summary(value=[Summary.Value(tag=metadata.CONFIG_SUMMARY_TAG, tensor=tensor, metadata=about)])


def quantiles(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The steps at which some of the losses [S, R] are finite [S], and the QUANTILES of these there.

    >>> some, values = quantiles(np.array([[4.0, np.nan], [np.nan, np.nan]]))
    >>> some.tolist(), values.tolist()
    ([True, False], [[4.0, 4.0, 4.0, 4.0]])
    """
    finite = np.where(np.isfinite(losses), losses, np.nan)
    some: np.ndarray = np.isfinite(losses).any(axis=1)  # pyright: ignore[reportAssignmentType]
    return some, np.nanquantile(finite[some], list(QUANTILES.values()), axis=1).T


def _overlay(title: str, *tags: str) -> Chart:
    """The curves of these tags, of all runs."""
    return Chart(title=title, multiline=MultilineChartContent(tag=[f"{tag}$" for tag in tags]))
