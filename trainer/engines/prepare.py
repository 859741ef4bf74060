"""A training before its first step, in this process or shared by ranks: data, model and engine."""

from dataclasses import dataclass, replace

from ...kernels.common.errors import UserError
from ..config.data_values import read_columns
from ..config.pack import Pack, make_pack
from ..config.schema import Config
from ..data.dataset import Data
from ..data.groups import runs_of_groups
from ..data.sources import load
from ..data.table import Table
from ..models.base import Model
from ..models.build import graph_of, notes_on
from ..models.evaluate import Evaluation, evaluate
from ..models.starts import starts_told
from ..models.widths import hidden_note, last_of, with_widths
from ..ranks.agent import size
from ..ranks.crew import Crew
from .at_work import at_work
from .base import Engine
from .build import make_engine, untrained
from .choose import Choice, check_backend, choose
from .devices import Compute, make_compute
from .member import Member
from .sharing import way_to_share
from .team import Team, check_alike

APART = (
    "this process is one of {ranks} ranks, and each trains all of this for itself: ranks share a training in "
    "the command packtrain alone"
)


@dataclass(frozen=True)
class Prepared:
    """What a training begins with: `before` are the losses of `model` over the training part.

    `choice` says what computes, and why; `data` has notes on the way that ranks share it.
    """

    pack: Pack
    compute: Compute
    data: Data
    choice: Choice
    engine: Engine
    model: Model
    before: Evaluation


def prepared(pack: Pack | Config, data: Data | None = None, crew: Crew | None = None) -> Prepared:
    """A training before its first step, of one pack; its data are loaded where none are given.

    The ranks of a `crew`, which have begun to prepare this pack, share it. Raises UserError or
    ExpressionError for what can't be trained.

    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> prepared(config).before.loss.tolist()
    [2.5]
    """
    pack = _pack_of(pack)
    compute = make_compute(pack.config.compute)
    with at_work(compute):
        data = load_data(pack) if data is None else data.to(compute.device, compute.dtype)
        pack, data = whole(pack, data)
        begun = _alone(pack, data, compute) if crew is None else _shared(crew, pack, data, compute)
        told = starts_told(pack, graph_of(pack.config), begun.model.parameters)
        notes = (*data.notes, *told, *begun.data.notes)
        return replace(begun, data=replace(data, notes=notes))


def _alone(pack: Pack, data: Data, compute: Compute) -> Prepared:
    """What this process trains by itself. Raises UserError where the pack asks for other processes."""
    if pack.config.compute.devices not in (1, "auto"):
        raise UserError(
            f"compute.devices={pack.config.compute.devices} starts processes where it is typed, as in "
            "packtrain compute.devices=2; in a config file it can't, and a session, a service and a "
            "launcher's job compute on one device"
        )
    model, choice = untrained(pack, data.train, compute)
    engine = make_engine(pack, model, data.train, choice)
    notes = (APART.format(ranks=size()),) if size() > 1 else ()
    before = evaluate(model, data.train, metrics=False)
    return Prepared(pack, compute, replace(data, notes=notes), choice, engine, model, before)


def _shared(crew: Crew, pack: Pack, data: Data, compute: Compute) -> Prepared:
    """What the ranks of a crew train together."""
    check_alike(crew.replies(), data, compute)
    crew.hand = Member(pack, data, compute, crew.ranks)
    way = choose(pack.config, graph_of(pack.config), data.train, compute)
    split, notes = way_to_share(pack, way, crew.ranks.size)
    team = Team(crew, pack, data, compute, split, notes)
    before = team.measure(data.train, metrics=False)
    return Prepared(pack, compute, replace(data, notes=notes), team.choice, team, team.model, before)


def load_data(pack: Pack, table: Table | None = None) -> Data:
    """The data that the pack's config names, on its device. Raises UserError or ExpressionError.

    A `table` in memory takes the place of the source that the config names.

    >>> from packtrain.trainer.config.schema import *
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 1}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> load_data(make_pack(config)).train.targets.tolist()
    [[2.0], [4.0]]
    """
    config, compute = pack.config, make_compute(pack.config.compute)
    check_backend(config.compute.backend, compute.device)
    graph, outputs = graph_of(config), last_of(config.model.widths)
    with at_work(compute):
        of_model = graph, config.model.loss, compute.device, compute.dtype, outputs
        data = load(config.data, *of_model, table, read_columns(config.model, pack.over))
    notes = hidden_note(config.model.widths, data.train) if graph is None else ()
    return replace(data, notes=(*data.notes, *notes, *notes_on(config.model)))


def whole(pack: Pack, data: Data) -> tuple[Pack, Data]:
    """The pack of all runs that the `data` make of it, with the widths of all layers, and the data of each.

    >>> from packtrain.trainer.config.schema import *
    >>> columns = {"inputs": ["x"], "targets": "xy"}
    >>> table = DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}, columns=columns)
    >>> pack = make_pack(Config(
    ...     model=ModelConfig("mlp", widths=[3]), data=table, optimizer=OptimizerConfig("adam"),
    ...     loop=LoopConfig(batch_size="full", steps=9),
    ... ))
    >>> whole(pack, load_data(pack))[0].config.model.widths
    [1, 3, 1]
    """
    pack, data = runs_of_groups(pack, data)
    return with_widths(pack, data.train), data


def _pack_of(given: Pack | Config) -> Pack:
    """The pack that a session trains. Raises UserError for what is none, or many."""
    if not isinstance(given, (Pack, Config)):
        raise UserError(f"a session is prepared of a Config or a Pack; got {type(given).__name__}")
    pack = given if isinstance(given, Pack) else make_pack(given)
    if (kind := pack.config.search.kind) != "grid":
        raise UserError(f"a session trains one pack, and search={kind} many, one after another: search=grid")
    return pack
