"""`packtrain join=FOLDER`: one of the workers, on whichever machines, that share the sweep in FOLDER."""

from collections.abc import Sequence
from pathlib import Path

from ...kernels.common.errors import UserError
from ..config.grammar import quoted
from ..folder.command import FILE as TRAINING
from ..folder.plan import read_plan
from .resume import is_hydras, resumed

WORD = "join="
LAUNCHER = "hydra/launcher=join"


def joined(arguments: Sequence[str]) -> list[str]:
    """The command line that works in FOLDER; `arguments` without join=FOLDER.

    With the words of a sweep, the first worker plans it, and all give the same ones; without, it is the sweep
    that is planned there. Raises UserError where none is, and for a training or a search.

    >>> joined(["experiment=digits", "seed=3"])
    ['experiment=digits', 'seed=3']
    >>> joined(["optimizer=adam,sgd", "join=/shared/sweep"])
    ['-m', 'optimizer=adam,sgd', 'hydra.sweep.dir="/shared/sweep"', 'hydra/launcher=join']
    """
    words = [argument for argument in arguments if argument.startswith(WORD)]
    if not words:
        return list(arguments)
    root = Path(words[-1].removeprefix(WORD).strip("'\"")).absolute()
    others = [argument for argument in arguments if argument not in (*words, "-m", "--multirun")]
    planned = all(map(is_hydras, others))
    _refuse(root, planned)
    if planned:
        return resumed([f"resume={root}", *others, LAUNCHER])
    return ["-m", *others, f"hydra.sweep.dir={quoted(str(root))}", LAUNCHER]


def _refuse(root: Path, planned: bool) -> None:
    """Raises UserError where there is something else, or where a sweep should be `planned` and isn't."""
    plan = read_plan(root)
    if plan and plan.objective:
        raise UserError(f"join={root}: that is a search, whose rounds follow one another: resume={root}")
    if (root / TRAINING).exists():
        raise UserError(f"join={root}: that is one training, and a sweep's packs are shared: resume={root}")
    if planned and not plan:
        raise UserError(
            f"join={root}: no sweep is planned there; the first worker plans what it is given, as in "
            f"packtrain join={root} optimizer=adam,sgd 'seed=range(0,64)'"
        )
