"""What a search makes small or large."""

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.pruning.objective import make_objective, over_seeds
from tests.trainer.configs import pack_of


def objective_of(*overrides: str) -> Objective:
    return make_objective(pack_of("search=random", *overrides).config)


def test_the_objective_is_the_loss_of_the_part_that_is_held_out() -> None:
    assert objective_of() == Objective("loss.train", False, "auto")
    assert objective_of("data.validation=0.2") == Objective("loss.validation", False, "auto")
    assert objective_of("data.validation=0.2", "search.objective=loss.train") == Objective(
        "loss.train", False, "auto"
    )


def test_an_accuracy_is_maximized_unless_asked_otherwise() -> None:
    asked = ("experiment=digits", "search.objective=metrics.accuracy")
    assert objective_of(*asked) == Objective("metrics.accuracy", True, "auto")
    assert objective_of(*asked, "search.direction=minimize") == Objective("metrics.accuracy", False, "auto")
    for name in ("balanced_accuracy", "f1", "roc_auc"):
        assert objective_of("experiment=digits", f"search.objective=metrics.{name}").maximized
    assert objective_of("search.objective=metrics.r2").maximized
    assert objective_of("search.objective=metrics.rmse") == Objective("metrics.rmse", False, "auto")


MISTAKES = {
    "search.objective=loss.validation": "needs a part held out, as with data.validation=0.2",
    "search.objective=metrics.accuracy": "metrics.rmse, metrics.mae, metrics.r2 with model.loss=mse; got",
    "search.objective=loss.tain": "got 'loss.tain' .did you mean loss.train",
    "search.direction=down": "search.direction is one of minimize, maximize; got 'down'",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_objective_that_is_none_is_refused(mistake: str) -> None:
    with pytest.raises(UserError, match=MISTAKES[mistake]):
        objective_of(mistake)


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        ((), "auto"),
        (("search.over_seeds=none",), "none"),
        (("search.over_seeds=median", "search.pruner=halving"), "median"),
        (("search.pruner=halving",), "none"),
        (("optimizer=levenberg_marquardt",), "none"),
        (("optimizer=levenberg_marquardt", "search.over_seeds=mean"), "mean"),
        (("optimizer=levenberg_marquardt", "model.starts=4"), "none"),
    ],
)
def test_auto_ranks_runs_one_by_one_where_a_run_is_not_one_of_many(asked: tuple[str, ...], way: str) -> None:
    assert over_seeds(pack_of(*asked).config) == way


REFUSED = {
    ("search.over_seeds=mode",): "search.over_seeds is one of auto, mean, median, none; got 'mode'",
    ("search.over_seeds=mean", "model.starts=4"): "model.starts asks for the best run of all starts",
    (
        "~experiment",
        "data=gaussians",
        "model=mlp",
        "data.group=cell",
        "loop.steps=9",
        "search.over_seeds=median",
    ): "data.group asks for the best run of each group",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_no_mean_is_taken_where_the_best_run_is_asked_for(asked: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=REFUSED[asked]):
        pack_of(*asked)
