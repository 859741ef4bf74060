"""TensorBoard's HParams: a row for each run, with what the pack varies and what the run came to."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata, summary_v2
from tensorboard.plugins.hparams.api_pb2 import (
    DATA_TYPE_STRING,
    STATUS_FAILURE,
    STATUS_SUCCESS,
    STATUS_UNKNOWN,
    Experiment,
    HParamInfo,
    MetricInfo,
    MetricName,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

from ..config.schema import Config, all_fields, has_rates
from ..engines.rows import Row, each

STATUS = {
    "finished": STATUS_SUCCESS,
    "diverged": STATUS_FAILURE,
    "failed": STATUS_FAILURE,
}  # all others were stopped
MAIN = (
    "seed", "model.kind", "model.widths", "model.activation", "model.loss", "data.kind",
    "optimizer.kind", "optimizer.lr", "optimizer.weight_decay", "optimizer.momentum", "schedule.kind",
    "loop.batch_size", "loop.steps", "loop.epochs", "compute.precision",
)  # fmt: skip
FIRST = "optimizer", "optimizer.lr", "loop.batch_size", "loop.steps", "seed"  # those that are seen at once
MOST_LISTED = 20  # texts of a column, of which a person may untick some


def columns(over: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Each field's values as HParams has them: numbers, or else text in all runs; None where there is none.

    >>> columns({"optimizer.clip_norm": [None, 1.0], "model.initial.a": ["auto", 2]})
    {'optimizer.clip_norm': [None, 1.0], 'model.initial.a': ['auto', '2']}
    """
    return {field: _column(values) for field, values in over.items()}


def main_values(config: Config) -> dict[str, Any]:
    """What a person changes first, of a config that varies nothing: the columns of a single run.

    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(model=ModelConfig("expression"), optimizer=OptimizerConfig("adam", lr=0.01))
    >>> main_values(config)["optimizer.lr"], "model.widths" in main_values(config)
    (0.01, False)
    """
    values = {"experiment": config.name}
    for path, about in all_fields():
        if path not in MAIN:
            continue
        group, _, name = path.rpartition(".")
        node = getattr(config, group) if group else config
        if not about.get("kinds") or node.kind in about["kinds"]:
            values[group if name == "kind" else path] = getattr(node, name)
    if not has_rates(config):
        values.pop("schedule", None)
    return {field: value for field, value in values.items() if value is not None}


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


def experiment(
    columns: Mapping[str, Sequence[Any]], tags: Sequence[str], first: Collection[str] = ()
) -> Summary:
    """The columns: what varies, with all values that a field has, and the metrics by their tags.

    HParams shows five columns by itself: those that differ, as the fields that come `first` are said to.

    >>> experiment({"seed": [1, 2]}, ["result/loss/train"]).value[0].tag
    '_hparams_/experiment'
    """
    varied = [_info(field, values, field in first) for field, values in columns.items()]
    measured = [MetricInfo(name=MetricName(tag=t), display_name=t.removeprefix("result/")) for t in tags]
    about = HParamsPluginData(experiment=Experiment(hparam_infos=varied, metric_infos=measured))
    return _summary(metadata.EXPERIMENT_TAG, about)


def session_start(values: Mapping[str, Any]) -> Summary:
    """A run's row begins, with the values that aren't None; it has the name of the run's folder.

    >>> session_start({"seed": 3, "optimizer.clip_norm": None}).value[0].tag
    '_hparams_/session_start_info'
    """
    given = {field: value for field, value in values.items() if value is not None}
    return summary_v2.hparams_pb(given, trial_id="")


def session_end(outcome: str) -> Summary:
    """A run's row ends, with the status that its outcome stands for.

    >>> session_end("diverged").value[0].tag
    '_hparams_/session_end_info'
    """
    end = SessionEndInfo(status=STATUS.get(outcome, STATUS_UNKNOWN), end_time_secs=time.time())
    return _summary(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))


def _column(values: Sequence[Any]) -> list[Any]:
    """Numbers as they are, all else as text."""
    is_number = all(value is None or isinstance(value, (int, float)) for value in values)
    return [value if is_number or value is None else str(value) for value in values]


def _info(field: str, values: Sequence[Any], first: bool) -> HParamInfo:
    """A column with its domain: the least and the greatest number, or a few texts; else there is none."""
    distinct = {value for value in values if value is not None}
    info = HParamInfo(name=field, differs=first or len({*values}) > 1, type=DATA_TYPE_STRING)
    kinds = {type(value) for value in distinct}
    if kinds in ({str}, {bool}) and len(distinct) <= MOST_LISTED:
        summary_v2.Discrete(distinct).update_hparam_info(info)
    elif kinds and kinds <= {int, float}:
        summary_v2.RealInterval(float(min(distinct)), float(max(distinct))).update_hparam_info(info)
    return info


def _summary(tag: str, about: HParamsPluginData) -> Summary:
    content = metadata.create_summary_metadata(about)
    return Summary(value=[Summary.Value(tag=tag, metadata=content, tensor=metadata.NULL_TENSOR)])
