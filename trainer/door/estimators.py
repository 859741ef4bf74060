"""Estimators of scikit-learn: equations or an MLP, as a regressor, and an MLP as a classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ...kernels.common.errors import UserError
from ..config.pack import Pack, make_pack
from ..config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    EngineConfig,
    LoopConfig,
    ModelConfig,
    OptimizerConfig,
)
from ..data.dataset import Data, Dataset, prepare
from ..data.split import Split
from ..folder.result import Result
from ..folder.trained import Trained, load
from ..folder.write import write
from ..session import Session
from .fitting import fit
from .progress import train

OUTPUT = "y"
FILES = "model.safetensors", "result.json"
SEEDS = 2**31 - 1
KEPT = 64  # configs of networks that need not be checked again


class _Network(BaseEstimator):
    """What both estimators share: an MLP that is trained on standardized inputs."""

    hidden: Sequence[int]
    activation: str
    optimizer: str
    learning_rate: float
    weight_decay: float
    steps: int
    batch_size: int
    engine: str
    device: str
    random_state: Any
    result_: Result
    trained_: Trained

    def __getstate__(self) -> dict[str, Any]:
        """With the files of a run folder in the place of the model, which can't be pickled."""
        state: dict[str, Any] = {**super().__getstate__()}  # pyright: ignore[reportGeneralTypeIssues]
        if (result := state.pop("result_", None)) is not None:
            state["files_"] = _files(result)
        state.pop("trained_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "files_" in state:
            self.trained_ = _loaded(state["files_"])

    def _keep(self, result: Result) -> None:
        """From now on it predicts by the result's models."""
        self.__dict__.pop("files_", None)
        self.result_, self.trained_ = result, result.trained

    def _train(self, data: Data, loss: str, outputs: int) -> None:
        """Trains a network with so many outputs."""
        samples, inputs = data.train.inputs.shape
        config = _config(
            (inputs, *map(int, self.hidden), outputs),
            loss,
            self.activation,
            self.optimizer,
            (self.learning_rate, self.weight_decay),
            (self.steps, min(self.batch_size, samples)),
            self.engine,
            self.device,
        )
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        session = Session.prepare(Pack(replace(config, seed=seed), {}, 1), data)
        train(session, "training")
        self._keep(session.result())

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        """[B, T] of the inputs [B, V]."""
        return self.trained_.predict(x, run=0).double().cpu().numpy()


class Regressor(RegressorMixin, _Network):
    """Equations fitted by least squares, or, where there is no `equation`, an MLP, as scikit-learn has them.

    In an equation the inputs have the names of a frame's columns, or x0, x1, ...; a single one may be called
    x. Its left side is y, or left out. `initial`, `bounds`, `fixed` and `starts` are as of packtrain.fit.
    `hidden` are an MLP's layers, which train for so many `steps` of `batch_size` samples. After fit,
    `parameters_` are the equation's parameters, and `trained_` is what predicts.

    >>> import numpy as np
    >>> import packtrain
    >>> x = np.linspace(0, 4, 30)[:, None]
    >>> y = 3 * np.exp(-0.5 * x[:, 0])
    >>> model = packtrain.Regressor("a*exp(-k*x)", initial={"a": 1, "k": 1}).fit(x, y)
    >>> round(model.parameters_["k"], 6), round(model.score(x, y), 6)
    (0.5, 1.0)
    """

    def __init__(
        self,
        equation: str | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
        bounds: Mapping[str, Any] | None = None,
        fixed: Sequence[str] = (),
        starts: int = 1,
        hidden: Sequence[int] = (64, 32),
        activation: str = "relu",
        optimizer: str = "adamw",
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        steps: int = 2000,
        batch_size: int = 256,
        engine: str = "auto",
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.equation, self.initial, self.bounds, self.fixed = equation, initial, bounds, fixed
        self.starts, self.hidden, self.activation, self.optimizer = starts, hidden, activation, optimizer
        self.learning_rate, self.weight_decay, self.steps = learning_rate, weight_decay, steps
        self.batch_size, self.engine, self.device, self.random_state = (
            batch_size,
            engine,
            device,
            random_state,
        )

    def fit(self, X: Any, y: Any) -> Self:
        """Fits to inputs X [N, V] and targets y [N] or [N, T]. Raises ValueError."""
        x, y = _validated(self, X, y, multi_output=True, y_numeric=True)
        self.flat_ = y.ndim == 1
        targets = np.asarray(y, np.float64).reshape(len(x), -1)
        if self.equation is None:
            names = tuple(f"{OUTPUT}{i}" for i in range(targets.shape[1]))
            data = prepare(_dataset(x, torch.from_numpy(targets), names), Split(0), True, True)
            self._train(data, "mse", len(names))
        else:
            self._fit_equation(x, targets)
        return self

    def _fit_equation(self, x: np.ndarray, targets: np.ndarray) -> None:
        names = [OUTPUT] if self.flat_ else [f"{OUTPUT}{i}" for i in range(targets.shape[1])]
        fitted = fit(
            self._columns(x) | dict(zip(names, targets.T, strict=True)),
            str(self.equation),
            initial=self.initial,
            bounds=self.bounds,
            fixed=self.fixed,
            starts=self.starts,
            seed=int(check_random_state(self.random_state).randint(SEEDS)),
            device=self.device,
        )
        self._keep(fitted.result)
        best = fitted.result.best_run or 0
        self.run_, self.parameters_ = best, {n: float(v) for n, v in self.trained_.parameters(best).items()}

    def predict(self, X: Any) -> np.ndarray:
        """Outputs [B], or [B, T] where there were several targets."""
        check_is_fitted(self)
        x = _validated(self, X, reset=False)
        if self.equation is None:
            outputs = self._outputs(x)
        else:
            outputs = self.trained_.predict(self._columns(x), run=self.run_).cpu().numpy()
        return outputs[:, 0] if self.flat_ else outputs

    def _columns(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs by the names that an equation may use."""
        alone = ["x"] if x.shape[1] == 1 and "x0" not in str(self.equation) else None
        names = getattr(self, "feature_names_in_", alone or [f"x{i}" for i in range(x.shape[1])])
        return dict(zip(map(str, names), x.T, strict=True))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class Classifier(ClassifierMixin, _Network):
    """An MLP that tells classes apart, by cross-entropy, as scikit-learn has it; see Regressor.

    >>> import numpy as np
    >>> import packtrain
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> model = packtrain.Classifier(hidden=(8,), steps=200, random_state=0)
    >>> model = model.fit(x, np.where(x[:, 0] > 0, "b", "a"))
    >>> model.predict([[-0.5], [0.5]]).tolist()
    ['a', 'b']
    """

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (64, 32),
        activation: str = "relu",
        optimizer: str = "adamw",
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        steps: int = 2000,
        batch_size: int = 256,
        engine: str = "auto",
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.hidden, self.activation, self.optimizer = hidden, activation, optimizer
        self.learning_rate, self.weight_decay, self.steps = learning_rate, weight_decay, steps
        self.batch_size, self.engine, self.device, self.random_state = (
            batch_size,
            engine,
            device,
            random_state,
        )

    def fit(self, X: Any, y: Any) -> Self:
        """Trains on inputs X [N, V] and class labels y [N], of two classes at least. Raises ValueError."""
        x, y = _validated(self, X, y)
        check_classification_targets(y)
        self.classes_: Any = np.unique(y)
        if len(self.classes_) < 2:
            raise UserError(f"a classifier takes two classes at least; y has one class, {self.classes_[0]}")
        targets = torch.from_numpy(np.searchsorted(self.classes_, y)[:, None])
        data = prepare(_dataset(x, targets, tuple(map(str, self.classes_))), Split(0), True)
        self._train(data, "cross_entropy", len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: [B, C]."""
        check_is_fitted(self)
        logits = torch.from_numpy(self._outputs(_validated(self, X, reset=False)))
        return torch.softmax(logits, 1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class: [B]."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]


def _validated(estimator: BaseEstimator, *arrays: Any, **options: Any) -> Any:
    """The arrays in float64. Raises ValueError."""
    return validate_data(estimator, *arrays, dtype=np.float64, **options)


def _files(result: Result) -> dict[str, bytes]:
    """What a run folder holds of the models, by the files' names."""
    with TemporaryDirectory() as folder:
        write(Path(folder), result)
        return {name: Path(folder, name).read_bytes() for name in FILES}


def _loaded(files: Mapping[str, bytes]) -> Trained:
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        return load(folder)


def _dataset(x: np.ndarray, targets: torch.Tensor, names: tuple[str, ...]) -> Dataset:
    return Dataset(torch.tensor(x), targets, tuple(f"x{i}" for i in range(x.shape[1])), names)


@lru_cache(KEPT)
def _config(
    widths: tuple[int, ...],
    loss: str,
    activation: str,
    optimizer: str,
    rates: tuple[float, float],
    loop: tuple[int, int],
    engine: str,
    device: str,
) -> Config:
    """The checked config of a network. Raises UserError."""
    lr, decay = rates
    steps, batch_size = loop
    return make_pack(
        Config(
            model=ModelConfig("mlp", widths=list(widths), loss=loss, activation=activation),
            data=DataConfig("table"),
            optimizer=OptimizerConfig(optimizer, lr=lr, weight_decay=decay),
            loop=LoopConfig(steps=steps, batch_size=batch_size),
            engine=EngineConfig(engine),
            compute=ComputeConfig(device),
        )
    ).config
