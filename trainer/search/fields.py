"""What search.space may vary: fields that differ inside a pack, and structure, with a pack for each value."""

import re
from collections.abc import Sequence
from typing import Any

from ...kernels.common.errors import UserError, nearest
from ..config.options import groups
from ..config.schema import all_fields, is_per_run

WHERE = "search.space"
OWN = "search.", "pack."  # which say how runs are chosen, and so can't be chosen themselves
OPTION = re.compile(r"[\w-]+(/[\w-]+)*")  # a file below the folder of its choice


def is_choice(field: str) -> bool:
    """Whether it is a choice, one file of a folder of conf/, as optimizer is.

    >>> is_choice("optimizer"), is_choice("optimizer.lr")
    (True, False)
    """
    return field in groups()


def option_names(field: str, values: Sequence[Any]) -> list[str]:
    """The names of options of a choice, each once. Raises UserError for what is no name of one.

    >>> option_names("optimizer", ["adam", "sgd", "adam"])
    ['adam', 'sgd']
    """
    for value in values:
        if not isinstance(value, str) or not OPTION.fullmatch(value):
            raise UserError(
                f"{WHERE}: {field}'s choices are names of its options, as in [adam, sgd]; got {value!r}"
            )
    return list(dict.fromkeys(values))


def check_field(field: str) -> None:
    """Raises UserError for a field that a search can't vary.

    >>> check_field("model.widths")
    >>> check_field("model.width")
    Traceback (most recent call last):
    packtrain...UserError: search.space: there is no field model.width (did you mean model.widths...)
    """
    if field.startswith(OWN) or field == "search":
        raise UserError(f"{WHERE}: {field} says how the runs are chosen, and can't be searched itself")
    if not (is_choice(field) or is_per_run(field) or _is_field(field)):
        raise UserError(
            f"{WHERE}: there is no field {field}{nearest(field, [path for path, _ in all_fields()])}"
        )


def _is_field(field: str) -> bool:
    """Whether it is a field of the schema, or an entry of one that maps names of the user's own."""
    known = dict(all_fields())
    group, _, leaf = field.partition(".")
    above = ".".join([group, leaf.partition(".")[0]])
    return field in known or bool(known.get(above, {}).get("mapping"))
