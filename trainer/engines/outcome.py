"""How a run ended, and the sentence that says so."""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property


class Outcome(Enum):
    """Each outcome with its sentence; `{step}`, `{steps}` and `{rung}` are the run's own."""

    FINISHED = "finished", "trained all of its {steps:,} steps"
    CONVERGED = "finished", "converged after {step:,} steps: {reason}"
    DIVERGED = (
        "diverged",
        "{reason}; kept are the values before it",
    )
    STOPPED = "stopped early", "stopped after {step:,} of {steps:,} steps: {reason}"
    PRUNED = "stopped at rung {rung}", "stopped at rung {rung}, after {step:,} of {steps:,} steps: {reason}"
    FAILED = "failed", "ended after {step:,} steps: {reason}"

    def __init__(self, word: str, sentence: str) -> None:
        self.word = word
        self.sentence = sentence


@dataclass(frozen=True)
class Ending:
    """The outcome of one run, the steps it took, and why it made no more, where that is known."""

    outcome: Outcome
    step: int
    steps: int
    reason: str = ""
    rung: int = 0

    @property
    def word(self) -> str:
        return self.outcome.word.format(rung=self.rung)

    @cached_property
    def message(self) -> str:
        text, reason = self.outcome.sentence, self.reason
        if self.outcome is Outcome.DIVERGED and not reason:
            reason = f"its loss or a parameter stopped being finite at step {self.step:,}"
        message = text.format(step=self.step, steps=self.steps, reason=reason, rung=self.rung)
        return re.sub(r"\b1 steps", "1 step", message)
