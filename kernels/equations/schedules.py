"""The learning-rate schedules: a row each, the factor of lr as a formula of the step.

step is the number of the step, from 0, and steps how many the run makes; every other name is a number of
each run. Where torch.optim.lr_scheduler has one, it is the same.
"""

from functools import cache

from ..language.formula import Formula, read_formula

VARIABLES = "step", "steps"
WARM_UP = (
    "done = min(step, warmup_steps)/max(warmup_steps, 1);"
    "warm = where(warmup_steps > 0, start_factor + (1 - start_factor)*done, 1);"
)  # LinearLR
WARMED = WARM_UP + "after = max(step - warmup_steps, 0);"
# From 1 to 0 as way goes from 0 to 1: (1 + cos(pi way))/2, whose ends are exact.
HALF_COSINE = "sine = sin(pi/2*min(way, 1 - way))^2; falling = where(way < 0.5, 1 - sine, sine);"

SCHEDULES = {
    "constant": "1",
    "linear_warmup": WARM_UP + "warm",
    "cosine": WARMED  # LinearLR, then CosineAnnealingLR
    + "way = min(after/max(steps - warmup_steps, 1), 1);"
    + HALF_COSINE
    + "where(step < warmup_steps, warm, final_factor + (1 - final_factor)*falling)",
    "step": WARMED + "where(step < warmup_steps, warm, gamma^floor(after/step_size))",  # StepLR
    "exponential": WARMED + "where(step < warmup_steps, warm, gamma^after)",  # ExponentialLR
    "one_cycle": "top = warmup_fraction*steps - 1;"  # OneCycleLR
    "way = where(step <= top, step/max(top, 1e-9), min((step - top)/max(steps - 1 - top, 1e-9), 1));"
    + HALF_COSINE
    + "where(step <= top, 1 + (start_factor - 1)*falling, final_factor + (1 - final_factor)*falling)",
}
CUSTOM = "custom"
NAMES = (*SCHEDULES, CUSTOM)


def schedule_of(kind: str, factor: str = "") -> Formula:
    """The formula of a schedule in SCHEDULES, or of custom: of the text `factor`. Raises UserError.

    >>> from packtrain.kernels.equations.schedules import schedule_of
    >>> schedule_of("custom", "where(step < k, step/k, 1)").constants
    ('k',)
    """
    return _schedule_of(factor if kind == CUSTOM else SCHEDULES[kind])


def using(number: str) -> list[str]:
    """The schedules in whose formulas a number stands.

    >>> from packtrain.kernels.equations.schedules import using
    >>> using("final_factor")
    ['cosine', 'one_cycle']
    """
    return [kind for kind in SCHEDULES if number in schedule_of(kind).constants]


@cache
def _schedule_of(text: str) -> Formula:
    return read_formula(text, VARIABLES, "schedule.factor")
