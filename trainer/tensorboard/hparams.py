"""TensorBoard's HParams: a row for each run, with what the pack varies and what the run came to."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import time
from collections.abc import Iterator, Sequence
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata, summary_v2
from tensorboard.plugins.hparams.api_pb2 import (
    STATUS_FAILURE,
    STATUS_SUCCESS,
    STATUS_UNKNOWN,
    Experiment,
    HParamInfo,
    MetricInfo,
    MetricName,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

from ..config.pack import Pack
from ..engines.rows import Row, each

STATUS = {
    "finished": STATUS_SUCCESS,
    "diverged": STATUS_FAILURE,
    "failed": STATUS_FAILURE,
}  # all others were stopped


def values(pack: Pack) -> Iterator[dict[str, Any]]:
    """The fields that vary with their values in each run: numbers, or else text in all runs.

    >>> from packtrain.trainer.config.schema import Config
    >>> list(values(Pack(Config(), {"optimizer.clip_norm": [None, 1.0]}, runs=2)))
    [{'optimizer.clip_norm': 'None'}, {'optimizer.clip_norm': '1.0'}]
    """
    columns = {path: _column(values) for path, values in pack.over.items()}
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def metrics(rows: Sequence[Row]) -> dict[str, list[float | None]]:
    """tag -> its last value in each run, None where there is none: losses and metrics of result.json.

    >>> loss = {"train": {"last": 0.5}, "validation": None}
    >>> metrics([{"loss": loss, "metrics": {"mae": 0.25}}])
    {'result/loss/train': [0.5], 'result/metrics/mae': [0.25]}
    """
    tags = {
        "result/loss/train": each(rows, "loss", "train", "last"),
        "result/loss/validation": each(rows, "loss", "validation"),
        **{f"result/metrics/{name}": each(rows, "metrics", name) for name in rows[0]["metrics"]},
    }
    return {tag: column for tag, column in tags.items() if any(value is not None for value in column)}


def experiment(pack: Pack, tags: list[str]) -> Summary:
    """The columns: what varies, and the metrics by their tags.

    >>> from packtrain.trainer.config.schema import Config
    >>> experiment(Pack(Config(), {"seed": [1, 2]}, runs=2), ["result/loss/train"]).value[0].tag
    '_hparams_/experiment'
    """
    varied = [_info(path, _column(values)) for path, values in pack.over.items()]
    measured = [MetricInfo(name=MetricName(tag=t), display_name=t.removeprefix("result/")) for t in tags]
    about = HParamsPluginData(experiment=Experiment(hparam_infos=varied, metric_infos=measured))
    return _summary(metadata.EXPERIMENT_TAG, about)


def session_start(values: dict[str, Any], trial: str) -> Summary:
    """A run's row begins; two files with the same trial are one row.

    >>> session_start({"seed": 3}, trial="out/tensorboard/run-0003").value[0].tag
    '_hparams_/session_start_info'
    """
    return summary_v2.hparams_pb(values, trial_id=trial)


def session_end(outcome: str) -> Summary:
    """A run's row ends, with the status that its outcome stands for.

    >>> session_end("diverged").value[0].tag
    '_hparams_/session_end_info'
    """
    end = SessionEndInfo(status=STATUS.get(outcome, STATUS_UNKNOWN), end_time_secs=time.time())
    return _summary(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))


def _column(values: list[Any]) -> list[Any]:
    """Numbers as they are, all else as text."""
    is_number = all(isinstance(value, (int, float)) for value in values)
    return values if is_number else [str(value) for value in values]


def _info(path: str, column: list[Any]) -> HParamInfo:
    """A column with its domain: all texts, or the least and the greatest number."""
    distinct = set(column)
    info = HParamInfo(name=path, differs=len(distinct) > 1)
    if isinstance(column[0], str):
        summary_v2.Discrete(distinct).update_hparam_info(info)
    else:
        summary_v2.RealInterval(float(min(column)), float(max(column))).update_hparam_info(info)
    return info


def _summary(tag: str, about: HParamsPluginData) -> Summary:
    content = metadata.create_summary_metadata(about)
    return Summary(value=[Summary.Value(tag=tag, metadata=content, tensor=metadata.NULL_TENSOR)])
