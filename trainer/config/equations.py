"""The equations of a loss, an optimizer and a schedule, and the fields of their numbers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...kernels.common.errors import UserError, nearest
from ...kernels.equations.losses import SMOOTHING, Loss, check_constant, check_constants, loss_of
from ...kernels.equations.optimizers import CUSTOM, rule_of
from ...kernels.equations.rule import GIVEN, Rule
from ...kernels.equations.schedules import schedule_of
from ...kernels.language.formula import Formula
from .ranges import check_number
from .schema import Config, ModelConfig, OptimizerConfig, ScheduleConfig

LOSS_CONSTANTS = "model.loss_constants."


def loss_in(config: ModelConfig, weighted: bool = False, varied: Collection[str] = ()) -> Loss:
    """The loss that a config names; `varied` are the fields that differ between the runs. Raises UserError.

    >>> from packtrain.trainer.config.equations import loss_in
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> loss_in(ModelConfig("mlp", loss="cross_entropy", loss_constants={"label_smoothing": 0.1})).constants
    ('label_smoothing',)
    """
    smoothed = SMOOTHING in config.loss_constants or LOSS_CONSTANTS + SMOOTHING in varied
    return loss_of(config.loss, smoothed, weighted)


def rule_in(config: OptimizerConfig) -> Rule:
    """The rule of a first-order optimizer. Raises UserError.

    >>> from packtrain.trainer.config.equations import rule_in
    >>> from packtrain.trainer.config.schema import OptimizerConfig
    >>> rule_in(OptimizerConfig("custom", update="p = p - lr*k*g")).numbers
    ('k',)
    """
    lines = [config.update] if isinstance(config.update, str) else config.update
    if config.kind == CUSTOM and not (
        lines and isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    ):
        raise UserError(
            "optimizer=custom needs equations of a parameter p and its gradient g: add "
            f"'optimizer.update=[\"p = p - lr*g\"]'; got {config.update!r}"
        )
    return rule_of(config.kind, lines or [])


def schedule_in(config: ScheduleConfig) -> Formula:
    """The formula of a schedule. Raises UserError.

    >>> from packtrain.trainer.config.equations import schedule_in
    >>> from packtrain.trainer.config.schema import ScheduleConfig
    >>> schedule_in(ScheduleConfig("custom", factor="1/(1 + k*step)")).constants
    ('k',)
    """
    if config.kind == CUSTOM and not config.factor:
        raise UserError(
            "schedule=custom needs a formula of step and steps: add 'schedule.factor=\"1 - step/steps\"'"
        )
    return schedule_of(config.kind, str(config.factor))


def optimizer_fields(config: OptimizerConfig) -> dict[str, str]:
    """The field of each number that the optimizer's equations read, lr first.

    >>> from packtrain.trainer.config.equations import optimizer_fields
    >>> from packtrain.trainer.config.schema import OptimizerConfig
    >>> optimizer_fields(OptimizerConfig("custom", update="p = p - lr*k*g"))
    {'lr': 'optimizer.lr', 'k': 'optimizer.constants.k'}
    """
    return {"lr": "optimizer.lr", **_fields("optimizer", config.kind, rule_in(config).numbers)}


def schedule_fields(config: ScheduleConfig) -> dict[str, str]:
    """The field of each number that the schedule's formula reads.

    >>> from packtrain.trainer.config.equations import schedule_fields
    >>> from packtrain.trainer.config.schema import ScheduleConfig
    >>> schedule_fields(ScheduleConfig("exponential"))["gamma"]
    'schedule.gamma'
    """
    return _fields("schedule", config.kind, schedule_in(config).constants)


def check_loss(config: ModelConfig, varied: Collection[str]) -> None:
    """Raises UserError where the loss or its constants aren't what can be computed.

    `varied` are the fields that differ between the runs.

    >>> from packtrain.trainer.config.equations import check_loss
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> check_loss(ModelConfig("mlp", loss="k*(y - t)^4"), ["model.loss_constants.k"])
    """
    of_runs = [path.removeprefix(LOSS_CONSTANTS) for path in varied if path.startswith(LOSS_CONSTANTS)]
    check_constants(loss_in(config, varied=varied), config.loss_constants, of_runs)


def check_loss_values(config: ModelConfig, columns: Mapping[str, Sequence[Any]]) -> None:
    """Raises UserError where a loss's constant is out of its range in some run; `columns`: field -> values.

    >>> from packtrain.trainer.config.equations import check_loss_values
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> check_loss_values(ModelConfig("mlp", loss="huber"), {"model.loss_constants.delta": [1.0, 0.5]})
    """
    loss = loss_in(config, varied=columns)
    for path, values in columns.items():
        if path.startswith(LOSS_CONSTANTS):
            for value in dict.fromkeys(values):
                check_constant(loss, path.removeprefix(LOSS_CONSTANTS), value)


def check_equations(config: Config, varied: Collection[str]) -> None:
    """Raises UserError where the equations of a first-order optimizer or a schedule can't be computed.

    `varied` are the fields that differ between the runs.

    >>> from packtrain.trainer.config.equations import check_equations
    >>> from packtrain.trainer.config.schema import Config, OptimizerConfig
    >>> check_equations(Config(optimizer=OptimizerConfig("custom", update="p = p - lr*k*g")), ())
    Traceback (most recent call last):
    packtrain...UserError: optimizer.constants: k has no value: add optimizer.constants={k: 1.0}
    """
    optimizer, schedule = config.optimizer, config.schedule
    _check_constants("optimizer", optimizer.constants, optimizer_fields(optimizer).values(), varied, GIVEN)
    known = {"step": "the number of the step", "steps": "the number of all steps"}
    _check_constants("schedule", schedule.constants, schedule_fields(schedule).values(), varied, known)


def _fields(group: str, kind: str, words: Collection[str]) -> dict[str, str]:
    prefix = f"{group}.constants" if kind == CUSTOM else group
    return {word: f"{prefix}.{word}" for word in words}


def _check_constants(
    group: str,
    constants: Mapping[str, Any],
    fields: Collection[str],
    varied: Collection[str],
    given: Mapping[str, str],
) -> None:
    """Raises UserError where an equation's number has no value, or a value no use."""
    field = f"{group}.constants"
    read = [path.removeprefix(f"{field}.") for path in fields if path.startswith(f"{field}.")]
    valued = [
        *constants,
        *(path.removeprefix(f"{field}.") for path in varied if path.startswith(f"{field}.")),
    ]
    for word in read:
        if word not in valued:
            raise UserError(
                f"{field}: {word} has no value: add {field}={{{word}: 1.0}}{nearest(word, valued)}"
            )
    for word in valued:
        if word in given:
            raise UserError(f"{field}: {word} is {given[word]}, and no constant")
        if word not in read:
            raise UserError(
                f"{field}: the equations have no constant {word!r}{nearest(word, read)}; they have "
                f"{', '.join(read) or 'none'}"
            )
    for word, value in constants.items():
        check_number(f"{field}.{word}", value)
