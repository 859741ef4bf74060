"""`packtrain.explain`: what the command `packtrain explain` shows, as an object."""

from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..config.spelling import words_of
from ..data.frames import table_of
from ..explain.case import case_in
from ..explain.explained import Explained, explained


def explain(
    *overrides: str,
    folder: str | Path | None = None,
    run: int | str | None = None,
    sample: int | str = 0,
    delta: float | None = None,
    data: Any = None,
    config_dir: str | Path | None = None,
    **fields: Any,
) -> Explained:
    """What a training computes at one sample, with every number; see `packtrain explain --help`.

    `overrides`, `fields`, `data` and `config_dir` are those of `train`: it is about that training before its
    first step. With a `folder` it is about a trained run there, the best without a `run`. `sample` is the
    place of a training sample, or "worst", the one with the largest loss; `delta` the step of finite
    differences. The result prints as text, is HTML in a notebook, and has all numbers as `data`.
    Raises UserError.

    >>> import packtrain
    >>> about = packtrain.explain("experiment=debug", sample=3)
    >>> chain = about.graph.chains[0]
    >>> chain.parameter, chain.count, chain.total == chain.gradient
    ('ab', 1, True)
    """
    if folder is not None and (overrides or fields or data is not None):
        raise UserError(f"a run in {folder} is explained as it was trained: leave the overrides and data out")
    table = None if data is None else table_of(data)
    words = words_of(overrides, fields, data)
    case = case_in(None if folder is None else Path(folder), words, run, config_dir, table)
    return explained(case, sample, delta)
