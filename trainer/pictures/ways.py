"""The ways in which the importance of a field is found, in words."""

WAYS = {
    "anova": "functional ANOVA of the runs' means",
    "optuna": "functional ANOVA by Optuna",
    "forest": "permutations in scikit-learn's random forest",
}


def read_way(text: str) -> str:
    """The way of that name. Raises ValueError where there is none.

    >>> read_way("optuna")
    'optuna'
    """
    if text not in WAYS:
        raise ValueError(text)
    return text
