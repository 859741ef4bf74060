"""How several ranks share a training: by runs, by samples, or not at all, and why."""

from ..config.pack import Pack
from ..data.dataset import Dataset
from ..models.build import graph_of
from ..ranks.crew import Crew
from .choose import Choice, choose
from .devices import Compute

RUNS, SAMPLES, NOTHING = "runs", "samples", "nothing"
ROUNDED = "the reference rounds a run by how many are computed together, so that results differ in the last digits"
IDLE = "compute.devices: {idle} of {ranks} ranks have nothing to do, since {why}"


def split_of(pack: Pack, data: Dataset, compute: Compute, crew: Crew) -> tuple[str, tuple[str, ...]]:
    """How the ranks of `crew` share the runs of `pack` on `data`, and sentences about it. Raises UserError.

    No run's bits depend on it, but where compute.split asks for runs that the reference computes.
    """
    choice = choose(pack.config, graph_of(pack.config), data, compute)
    return split_by(pack, choice, crew.ranks.size)


def split_by(pack: Pack, choice: Choice, ranks: int) -> tuple[str, tuple[str, ...]]:
    """As split_of, of runs that are trained in the way of `choice`.

    >>> from packtrain.trainer.config.schema import Config
    >>> split_by(Pack(Config(), {"seed": [0, 1]}, 2), Choice("fused", "numba"), ranks=2)
    ('runs', ())
    """
    asked, exact = pack.config.compute.split, choice.backend != "reference"
    if asked == RUNS:
        return RUNS, () if exact else (f"compute.split=runs: {ROUNDED}",)
    if not exact:
        return NOTHING, (IDLE.format(idle=ranks - 1, ranks=ranks, why=f"{ROUNDED}: compute.split=runs"),)
    if pack.config.model.shared:
        why = "model.shared makes all groups one fit"
        return NOTHING, (IDLE.format(idle=ranks - 1, ranks=ranks, why=why),)
    if pack.runs < ranks:
        why = f"there {'is 1 run' if pack.runs == 1 else f'are {pack.runs} runs'}"
        return RUNS, (IDLE.format(idle=ranks - pack.runs, ranks=ranks, why=why),)
    return RUNS, ()
