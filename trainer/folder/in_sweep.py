"""What tells a pack from the others of its sweep."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from .plan import Plan, PlannedPack, read_plan


def values_in_sweep(folder: Path) -> dict[str, Any] | None:
    """The structural values of the pack in `folder`, as its sweep's plan says; None where it is in no sweep.

    Those of a field that isn't a number in every pack are texts.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.in_sweep import values_in_sweep
    >>> values_in_sweep(Path("nowhere")) is None
    True
    """
    for plan, pack in _plans_with(folder.absolute()):
        numbers = {field for field in pack.values if _are_numbers(plan, field)}
        return {field: value if field in numbers else str(value) for field, value in pack.values.items()}
    return None


def _plans_with(folder: Path) -> Iterator[tuple[Plan, PlannedPack]]:
    """The plans in folders above of which this is a pack; others' files are no concern of ours."""
    for root in folder.parents:
        with suppress(UserError):
            plan = read_plan(root)
            yield from ((plan, pack) for pack in plan.packs if root / pack.folder == folder) if plan else ()


def _are_numbers(plan: Plan, field: str) -> bool:
    values = [pack.values.get(field) for pack in plan.packs]
    return all(value is None or isinstance(value, (int, float)) for value in values)
