"""What a search makes small or large: one number of each run."""

from ...kernels.common.errors import UserError, choose, nearest
from ..config.equations import loss_in
from ..config.schema import LEAST_SQUARES, Config
from ..folder.objective import AUTO, NONE, Objective
from ..folder.tested import TEST, TEST_LOSS
from ..models.metrics import MAXIMIZED, metrics_of

TESTED = TEST, TEST_LOSS
DIRECTIONS = {"minimize": False, "maximize": True}


def chosen_objective(config: Config) -> Objective | None:
    """What the runs are ranked by; None where no objective but the loss is asked for. Raises UserError.

    >>> chosen_objective(Config()) is None
    True
    """
    plain = config.search.objective == "loss" and config.search.direction is None
    return None if plain else make_objective(config)


def make_objective(config: Config) -> Objective:
    """What search.objective and search.direction ask for. Raises UserError.

    >>> config = Config()
    >>> config.data.validation = 0.2
    >>> make_objective(config)
    Objective(name='loss.validation', maximized=False, over_seeds='auto')
    """
    name, validated = config.search.objective, config.data.validation > 0
    names = [
        "loss",
        "loss.validation",
        "loss.train",
        *(f"metrics.{m}" for m in metrics_of(loss_in(config.model))),
    ]
    if str(name).startswith(TESTED):
        raise UserError(
            f"search.objective={name} would choose by the test part, which then says nothing of the choice: "
            "search.objective=loss.validation"
        )
    if name not in names:
        raise UserError(
            f"search.objective is one of {', '.join(names)} with model.loss={config.model.loss}; "
            f"got {name!r}{nearest(name, names)}"
        )
    if name == "loss.validation" and not validated:
        raise UserError(
            "search.objective=loss.validation needs a part held out, as with data.validation=0.2; "
            "loss.train needs none"
        )
    if name == "loss":
        name = "loss.validation" if validated else "loss.train"
    direction = config.search.direction
    better_if_more = name.removeprefix("metrics.") in MAXIMIZED
    maximized = better_if_more if direction is None else choose(DIRECTIONS, direction, "search.direction")
    return Objective(name, maximized, over_seeds(config))


def over_seeds(config: Config) -> str:
    """What search.over_seeds comes to: auto is none where a run's number isn't one of many alike.

    Those are fits, whose seeds draw where they start, runs of groups, of several starts, and runs that a
    pruner stops one by one.

    >>> over_seeds(Config())
    'auto'
    """
    asked, fits = config.search.over_seeds, config.optimizer.kind in LEAST_SQUARES
    alone = fits or config.search.pruner or config.data.group is not None or config.model.starts > 1
    return NONE if asked == AUTO and alone else asked
