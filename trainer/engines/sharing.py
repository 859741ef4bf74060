"""How several ranks share a training: by runs, by samples, or not at all, and why."""

from ...kernels.common.errors import UserError
from ..config.pack import Pack
from .choose import Choice

RUNS, SAMPLES, NOTHING = "runs", "samples", "nothing"
ROUNDED = "the reference's rounding depends on how many runs are computed together"
DIFFERENT = f"compute.split=runs: {ROUNDED}, so that results may differ in the last digits"
IDLE = "{idle} of {ranks} ranks have nothing to do: {why}"


def way_to_share(pack: Pack, choice: Choice, ranks: int) -> tuple[str, tuple[str, ...]]:
    """How so many ranks share the runs of a pack, which is trained in the way of `choice`, and sentences.

    No run's bits depend on it, but where compute.split asks for runs that the reference computes. Raises
    UserError.

    >>> from packtrain.trainer.config.schema import Config
    >>> way_to_share(Pack(Config(), {"seed": [0, 1]}, 2), Choice("fused", "numba"), ranks=2)
    ('runs', ())
    """
    asked, exact, by_samples = pack.config.compute.split, choice.backend != "reference", choice.split
    if asked == SAMPLES:
        if by_samples.refusal:
            raise UserError(f"compute.split=samples can't share this: {by_samples.refusal}")
        return SAMPLES, ()
    if asked == RUNS:
        return RUNS, () if exact else (DIFFERENT,)
    whole = not exact or bool(pack.config.model.shared)
    if not whole and pack.runs >= ranks:
        return RUNS, ()
    if not (reason := by_samples.refusal or by_samples.doubt):
        return SAMPLES, ()
    why = f"{_why_not_by_runs(pack, exact)}, and {reason}"
    idle = ranks - (1 if whole else pack.runs)
    return NOTHING if whole else RUNS, (IDLE.format(idle=idle, ranks=ranks, why=why),)


def _why_not_by_runs(pack: Pack, exact: bool) -> str:
    if not exact:
        return f"{ROUNDED} (compute.split=runs shares them out all the same)"
    if pack.config.model.shared:
        return "model.shared makes all groups one fit"
    return "there is 1 run" if pack.runs == 1 else f"there are {pack.runs} runs"
