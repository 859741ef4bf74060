"""What data=stream can't do, since it never sees all samples at once: each with a sentence."""

from collections.abc import Iterable
from typing import Any

from ...kernels.common.errors import UserError, nearest
from .data_values import AUTO
from .schema import LAST, LEAST_SQUARES, RANDOM, SHUFFLES, Config


def check_shuffle(config: Config) -> None:
    """Raises UserError for a data.shuffle that isn't known, or that loop.order leaves nothing to say.

    >>> from packtrain.trainer.config.schema import Config, DataConfig
    >>> from packtrain.trainer.config.streams import check_shuffle
    >>> check_shuffle(Config(data=DataConfig("file", shuffle="blocks")))
    """
    data = config.data
    if data.shuffle is not None and data.shuffle not in SHUFFLES:
        known = " or ".join(SHUFFLES)
        raise UserError(
            f"data.shuffle is {known}; got {data.shuffle!r}{nearest(str(data.shuffle), SHUFFLES)}"
        )
    if data.by_blocks and config.loop.order == "own":
        raise UserError(
            "data.shuffle=blocks is one order for all runs, which read a block together: loop.order=shared"
        )
    if data.by_blocks and data.group is not None:
        raise UserError(
            "data.shuffle=blocks is of one data set, and data.group makes many: data.shuffle=full"
        )


def check_stream(config: Config) -> None:
    """Raises UserError for what a stream can't do.

    >>> from packtrain.trainer.config.schema import Config, DataConfig, LoopConfig
    >>> from packtrain.trainer.config.streams import check_stream
    >>> check_stream(Config(data=DataConfig("stream"), loop=LoopConfig(batch_size="full")))
    Traceback (most recent call last):
    packtrain...UserError: data=stream never has all samples in memory: loop.batch_size=4096, say
    """
    if config.data.kind != "stream":
        return
    for refused, sentence in _refused(config):
        if refused:
            raise UserError(f"data=stream {sentence}")


def _refused(config: Config) -> Iterable[tuple[Any, str]]:
    data, kind = config.data, config.optimizer.kind
    yield (
        kind in LEAST_SQUARES,
        f"is read a minibatch at a time, and optimizer={kind} takes all samples in each step: data=file, or "
        "optimizer=adam",
    )
    yield config.loop.batch_size == "full", "never has all samples in memory: loop.batch_size=4096, say"
    yield config.loop.order == "own", "is read once for all runs: loop.order=shared"
    yield (
        data.split not in (RANDOM, LAST),
        f"holds out whole blocks or the last rows: data.split=random or last; got {data.split}",
    )
    yield data.class_weights not in (None, {}), "has no weights yet: leave data.class_weights out"
    yield (
        _reads_data(config.model.initial),
        "never has all samples in memory, so that model.initial is numbers and ranges of them",
    )


def _reads_data(initial: Any) -> bool:
    """Whether starting values are texts, such as auto or max(y)."""
    if initial == AUTO or isinstance(initial, str):
        return True
    if isinstance(initial, dict):
        return any(map(_reads_data, initial.values()))
    return isinstance(initial, (list, tuple)) and any(map(_reads_data, initial))
