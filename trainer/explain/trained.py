"""What is explained of a run that has ended, beyond its numbers at a sample."""

from .case import Case
from .divergence import NotFinite, divergence_of
from .influence import Pulls, influence
from .leverage import Leverage

DIVERGENCE = "divergence"


def trained_parts(case: Case) -> dict[str, NotFinite | Pulls | Leverage]:
    """name -> what isn't finite, which samples pull, which ones a fit hangs on; {} before the first step.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> from packtrain.trainer.explain.trained import trained_parts
    >>> trained_parts(case_of_config(["experiment=debug"]))
    {}
    """
    if case.trained is None:
        return {}
    fault = divergence_of(case)
    return {**({DIVERGENCE: fault} if fault else {}), **influence(case)}
