"""What is explained: one run's model in float64, and the samples that it trains on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config.compose import as_sentences, composed, config_loader
from ..config.pack import Pack, make_pack
from ..data.dataset import Data, Dataset
from ..data.groups import runs_of_groups
from ..data.table import Table
from ..engines.devices import make_compute
from ..engines.prepare import load_data
from ..engines.rows import Row
from ..finished import Finished, on_cpu
from ..models.base import Model
from ..models.build import graph_of, new_model
from ..models.mlp import MLPModel
from ..models.widths import with_widths
from ..sweep.planner import without_hydra

GENERATED, MOST = ("ground_truth", "gaussians"), 1 << 16  # sources of any size, and how many samples are made


@dataclass(frozen=True)
class Case:
    """One run, as a pack of its own: its model, which has R = 1, and its training samples that count.

    `title` says which run, of what and how far trained; `notes` are sentences for people. `trained` is the
    row of a run that has ended, as in result.json.
    """

    title: str
    pack: Pack
    model: Model
    data: Dataset
    notes: tuple[str, ...] = ()
    trained: Row | None = None


def case_in(
    folder: Path | None,
    words: Sequence[str],
    run: str | int | None = None,
    config_dir: str | Path | None = None,
    table: Table | None = None,
) -> Case:
    """A trained run in `folder`, the best unless one is said; or one of the training that `words` name.

    That is the first unless one is said. Raises UserError.

    >>> case_in(None, ["experiment=debug"], run="2").title
    'debug, run 2 of 3 (seed=2), before the first step'
    """
    if folder is not None:
        return case_of_folder(folder, "best" if run is None else str(run))
    if run is not None and not str(run).isdecimal():
        raise UserError(f"run is a number from 0, of a folder with trained runs also best; got {run}")
    return case_of_config(words, int(run or 0), table, config_dir)


def case_of_config(
    words: Sequence[str],
    run: int = 0,
    table: Table | None = None,
    config_dir: str | Path | None = None,
) -> Case:
    """A run of the training that the overrides `words` name, before its first step. Raises UserError.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> case = case_of_config(["experiment=debug", "seed=3"])
    >>> case.title, case.model.parameters.dtype
    ('debug, before the first step', torch.float64)
    """
    with config_loader(config_dir) as loader, as_sentences():
        config = without_hydra(composed(loader, words))
        whole = on_cpu(make_pack(config, list(words)))
    pack = _smaller(whole) if table is None else whole
    data = load_data(pack, table)
    if data.train.streamed:
        raise UserError(
            "what is explained is in memory, and these data are streamed: data=file, of a part of them"
        )
    pack, data = runs_of_groups(pack, data)
    case = case_of(pack, data, run, None, "before the first step")
    if pack.config.data.size == whole.config.data.size:
        return case
    said = f"of {whole.config.data.size:,} generated samples the first {MOST:,} are made, and are all below"
    return replace(case, notes=(*case.notes, said))


def case_of_folder(folder: Path, run: str = "best") -> Case:
    """A trained run in the folder of a training or a sweep: its index, or "best". Raises UserError.

    >>> from packtrain.trainer.explain.case import case_of_folder
    >>> case_of_folder(Path("nowhere"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    finished = Finished.read(folder, run)
    parts = finished.trained.parameters(finished.run).values()
    parameters = torch.cat([part.flatten() for part in parts])
    state = f"{finished.row['outcome']}, in {finished.folder}"
    case = case_of(finished.pack, finished.data, finished.run, parameters, state)
    return replace(case, trained=finished.row)


def _smaller(pack: Pack) -> Pack:
    """The same with MOST generated samples, where there are more."""
    data, loop = pack.config.data, pack.config.loop
    if data.kind not in GENERATED or data.size is None or data.size <= MOST:
        return pack
    batch = loop.batch_size if loop.batch_size == "full" else min(int(loop.batch_size), MOST)
    parts = {"data": replace(data, size=MOST), "loop": replace(loop, batch_size=batch)}
    return replace(pack, config=replace(pack.config, **parts))


def case_of(pack: Pack, data: Data, run: int, parameters: Tensor | None, state: str) -> Case:
    """One run of a pack whose groups are runs already, with these parameters [P], or where it starts.

    `state` says how far it is trained. Raises UserError for a run that isn't there.

    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}), optimizer=OptimizerConfig("sgd"),
    ...     loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> pack = make_pack(config)
    >>> case_of(pack, load_data(pack), 0, torch.tensor([5.0]), "trained").model.parameters.tolist()
    [[5.0]]
    """
    if not 0 <= run < pack.runs:
        raise UserError(f"run={run}: there are the runs 0 to {pack.runs - 1}")
    own = data.each(lambda part: part.of(torch.tensor([run])).of_run(0))
    if run in data.train.faults:
        raise UserError(f"run={run} has no samples: {data.train.faults[run]}")
    alone = with_widths(pack.of([run]), own.train)
    dtype = make_compute(alone.config.compute).dtype
    model = new_model(alone, graph_of(alone.config), own.train, dtype, "reference")
    if parameters is not None:
        model.parameters = parameters[None]
    return Case(_title(pack, run, state), alone, _exact(model), _counted(own.train), tuple(_notes(alone)))


def _exact(model: Model) -> Model:
    """The model in float64."""
    model.parameters = model.parameters.detach().double().requires_grad_()
    if isinstance(model, MLPModel):
        model.product = "ieee"
    return model


def _counted(data: Dataset) -> Dataset:
    counted = data.to(torch.device("cpu"), torch.float64).counted
    if not len(counted):
        raise UserError("there is no sample to explain: every one has the weight 0")
    return counted


def _title(pack: Pack, run: int, state: str) -> str:
    values = ", ".join(f"{field}={value}" for field, value in pack.values(run).items())
    which = f", run {run} of {pack.runs:,}" if pack.runs > 1 else ""
    return f"{pack.config.name}{which}{f' ({values})' if values else ''}, {state}"


def _notes(pack: Pack) -> list[str]:
    config: Any = pack.config
    said = {
        "inputs are standardized, as training has them": "inputs" in config.data.standardized,
        "targets are standardized, as training has them": "targets" in config.data.standardized,
        "model.dropout drops nothing here": any(pack.each("model.dropout")),
        "model.gradient=finite_difference: training takes the gradient by finite differences": (
            config.model.gradient == "finite_difference"
        ),
    }
    return [sentence for sentence, holds in said.items() if holds]
