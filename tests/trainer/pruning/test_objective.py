"""What a search makes small or large."""

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.pruning.objective import make_objective
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
