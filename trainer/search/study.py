"""search=optuna: an Optuna study, which suggests the runs of a round, and learns from their results."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...kernels.common.errors import UserError
from ..config.schema import SearchConfig
from .evolution import SMALLEST, Generation, next_generation
from .space import Choices, Interval, Point, Space
from .storage import open_storage
from .structure import spelled

FILE = "study.db"
RUN = "run"  # the attribute of a trial with its number in the order in which they were suggested
FOLDER = "folder"  # the attribute of a study with the folder of its search
STARTUP = 10  # random trials before TPE has something to model
SMALLEST_GENERATION = 5
CMAES = "cmaes"


def _tpe(seed: int, runs: int) -> BaseSampler:
    """With the constant liar, by which the runs of a round keep away from one another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, n_startup_trials=min(STARTUP, runs), constant_liar=True)


# name -> (seed, runs of a round) -> the sampler; cmaes is our own: Optuna's would store code
SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {
    "tpe": _tpe,
    "nsgaii": lambda seed, runs: NSGAIISampler(seed=seed, population_size=max(SMALLEST_GENERATION, runs)),
    "random": lambda seed, runs: RandomSampler(seed),
}


class OptunaSearch:
    """The study `name` in search.storage, else in `folder`; each run is a trial with its index as `run`.

    Each suggestion's sampler is seeded by (search.seed, run), or by its round, so that a search that was
    stopped goes on as it would have. One that `is_new` begins a study.
    Raises UserError for a space that the sampler can't search, a database that can't be opened, and a study
    of another search.
    """

    def __init__(
        self,
        space: Space,
        settings: SearchConfig,
        maximized: bool,
        folder: Path,
        name: str,
        is_new: bool = False,
    ) -> None:
        if settings.sampler == CMAES:
            _check(space, settings.runs_per_round)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.settings, self.space = settings, space
        self.distributions = {field: _distribution(values) for field, values in space.items()}
        self.values = {field: _by_trial_value(values) for field, values in space.items()}
        storage = open_storage(settings.storage or f"sqlite:///{folder / FILE}")
        if is_new:
            _refuse_other(storage, name, folder)
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize" if maximized else "minimize",
            load_if_exists=True,
        )
        self.study.set_user_attr(FOLDER, str(folder.absolute()))

    def ask(self, first: int, runs: int) -> list[Point]:
        """The points of the runs first .. first + runs - 1, suggested now unless they were before."""
        self._drop_halves()
        known = self._known()
        suggest = self._evolve if self.settings.sampler == CMAES else self._suggest
        params = [known[run].params if run in known else suggest(run) for run in range(first, first + runs)]
        return [{field: self.values[field](of_run[field]) for field in self.space} for of_run in params]

    def tell(self, first: int, values: Sequence[float | None], pruned: Mapping[int, int]) -> None:
        """Takes the objective of the runs from `first` on, None for a failure; a second time changes nothing.

        `pruned` maps those that were stopped at a rung to their steps: their values are those of that step.
        """
        known = self._known()
        for run, value in enumerate(values):
            trial = known[first + run]
            if trial.state.is_finished():
                continue
            if value is None:
                self.study.tell(trial.number, state=TrialState.FAIL)
            elif run in pruned:
                self.study._storage.set_trial_intermediate_value(trial._trial_id, pruned[run], value)
                self.study.tell(trial.number, state=TrialState.PRUNED)
            else:
                self.study.tell(trial.number, value)

    def _known(self) -> dict[int, FrozenTrial]:
        trials = self.study.get_trials(deepcopy=False)
        return {trial.user_attrs[RUN]: trial for trial in trials if RUN in trial.user_attrs}

    def _drop_halves(self) -> None:
        """Fails the trials that became no run, because the process ended in between."""
        for trial in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            if RUN not in trial.user_attrs:
                self.study.tell(trial.number, state=TrialState.FAIL)

    def _suggest(self, run: int) -> Point:
        (seed,) = np.random.SeedSequence([self.settings.seed, run]).generate_state(1).tolist()
        self.study.sampler = SAMPLERS[self.settings.sampler](seed, self.settings.runs_per_round)
        trial = self.study.ask(self.distributions)
        trial.set_user_attr(RUN, run)
        return trial.params

    def _evolve(self, run: int) -> Point:
        """The run's point in its generation, which follows from the trials of those before."""
        generation, place = divmod(run, self.settings.runs_per_round)
        intervals = {field: values for field, values in self.space.items() if isinstance(values, Interval)}
        before = self._generations(generation)
        point = next_generation(intervals, self.settings.seed, self.settings.runs_per_round, before)[place]
        running: Any = {"state": TrialState.RUNNING, "user_attrs": {RUN: run}}
        self.study.add_trial(create_trial(params=point, distributions=self.distributions, **running))
        return point

    def _generations(self, count: int) -> list[Generation]:
        """The points of the first `count` rounds with their costs."""
        known, runs = self._known(), self.settings.runs_per_round
        rounds = [[known[i * runs + place] for place in range(runs)] for i in range(count)]
        return [[(trial.params, self._cost(trial)) for trial in trials] for trials in rounds]

    def _cost(self, trial: FrozenTrial) -> float | None:
        """The value to be made small."""
        maximized = self.study.direction is StudyDirection.MAXIMIZE
        return -trial.value if maximized and trial.value is not None else trial.value


def _check(space: Space, runs_per_round: int) -> None:
    """Raises UserError for what CMA-ES can't search."""
    if runs_per_round < SMALLEST:
        raise UserError(
            f"search.sampler=cmaes needs search.runs_per_round={SMALLEST} or more; got {runs_per_round}"
        )
    if len(space) < 2 or any(isinstance(values, Choices) for values in space.values()):
        raise UserError(
            "search.sampler=cmaes searches two numbers or more, and no choices; tpe takes any space"
        )


def _distribution(values: Interval | Choices) -> BaseDistribution:
    if isinstance(values, Choices):
        return CategoricalDistribution(tuple(map(_trial_value, values.choices)))
    if values.integer:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _trial_value(choice: Any) -> Any:
    """What stands for a choice in a trial: a list or a mapping is a text there, as one types it."""
    return spelled(choice) if isinstance(choice, (list, dict)) else choice


def _by_trial_value(values: Interval | Choices) -> Callable[[Any], Any]:
    """What a trial's value stands for."""
    if isinstance(values, Interval):
        return lambda value: value
    known = {_trial_value(choice): choice for choice in values.choices}
    return lambda value: known.get(value, value)


def _refuse_other(storage: RDBStorage, name: str, folder: Path) -> None:
    """Forgets a study in which this folder's search had only begun. Raises UserError for any other."""
    if name not in optuna.get_all_study_names(storage):
        return
    study = optuna.load_study(study_name=name, storage=storage)
    ended = any(t.state.is_finished() and RUN in t.user_attrs for t in study.get_trials(deepcopy=False))
    of_whom = study.user_attrs.get(FOLDER)
    if ended or of_whom != str(folder.absolute()):
        raise UserError(
            f"search.storage has a study {name} already, of the search in {of_whom or 'another folder'}: "
            f"go on with that by resume=, or take another hydra.run.dir, whose name is the study's"
        )
    optuna.delete_study(study_name=name, storage=storage)
