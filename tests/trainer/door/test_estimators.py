"""The estimators are scikit-learn's: they pass its checks, and fit into its pipelines and searches."""

import builtins
import pickle
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import packtrain

SMALL = {"hidden": (8,), "steps": 60, "learning_rate": 0.03}
X = np.linspace(0, 4, 40)[:, None]
Y = 3 * np.exp(-0.5 * X[:, 0]) + 1


@pytest.mark.sampled(1)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [packtrain.Regressor, packtrain.Classifier])
def test_scikit_learn_accepts_it(make: Any) -> None:
    results = check_estimator(make(**SMALL), on_fail=None)
    assert {each["check_name"]: each["exception"] for each in results if each["status"] == "failed"} == {}
    assert sum(each["status"] == "passed" for each in results) >= 50


def test_an_equation_is_fitted() -> None:
    model = packtrain.Regressor("a*exp(-k*x) + c", initial={"a": 1, "k": 1, "c": 0}).fit(X, Y)
    assert np.allclose(list(model.parameters_.values()), [3, 0.5, 1]) and model.score(X, Y) > 1 - 1e-12
    assert np.allclose(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    frame = pandas.DataFrame({"dose": X[:, 0], "time": X[::-1, 0]})
    both = packtrain.Regressor("y = a*dose + b*time").fit(frame, 2 * frame.dose - frame.time)
    assert np.allclose([both.parameters_["a"], both.parameters_["b"]], [2, -1], atol=1e-9)
    with pytest.raises(packtrain.UserError, match="expected"):
        packtrain.Regressor("a*+*x").fit(X, Y)


def test_a_search_varies_what_it_may() -> None:
    pipeline = make_pipeline(StandardScaler(), packtrain.Classifier(**SMALL, random_state=0))
    x, y = load_iris(return_X_y=True)
    search = GridSearchCV(pipeline, {"classifier__learning_rate": [1e-5, 0.03]}, cv=3).fit(x, y)
    assert search.best_params_ == {"classifier__learning_rate": 0.03} and search.best_score_ > 0.85


def test_seeds_make_trainings_alike() -> None:
    one, two, other = (
        packtrain.Regressor(**SMALL, random_state=seed).fit(X, Y).predict(X) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_several_targets_are_several_columns() -> None:
    model = packtrain.Regressor(**SMALL, random_state=0).fit(X, np.stack([Y, -Y], 1))
    assert model.predict(X).shape == (40, 2) and model.score(X, np.stack([Y, -Y], 1)) > 0.5
    score = cross_val_score(packtrain.Regressor("a*x + b"), X, X[:, 0], cv=3)
    assert np.allclose(score, 1)


def test_without_scikit_learn_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.endswith("door") or name == "sklearn":
            raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(packtrain.UserError, match="need scikit-learn: pip install"):
        _ = packtrain.Regressor
