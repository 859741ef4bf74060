"""Which samples are held out: to validate by, and to test by at the end."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.random import Purpose, permutation
from ..config.schema import GROUP, LAST, RANDOM, STRATIFIED, TIME

BLOCK = 1 << 18  # places of a permutation computed at a time, so that they stay in the cache
TRAIN, VALIDATION, TEST = range(3)

Parts = tuple[Tensor, Tensor, Tensor]  # the samples to train on, to validate by and to test by: indices


@dataclass(frozen=True)
class Split:
    """The fractions `validation` and `test` of the samples, chosen by a `method`.

    random: drawn by `seed`; stratified: so within each class; last: the last ones, the test at the very end.
    group: a fraction of the groups is drawn, and all samples of a group are in one part; time: the last ones
    by a column, where all samples of one time are in one part. `values` [N] are each sample's class, group or
    place in time, as integers from 0 without gaps. `column` is where they come from, for people.
    """

    seed: int
    validation: float = 0.0
    test: float = 0.0
    method: str = RANDOM
    values: Tensor | None = None
    column: str = ""

    def parts(self, samples: int, device: torch.device) -> Parts:
        """The samples of each part. A fraction above 0 holds out one at least.

        Raises UserError where none is left to train on.

        >>> import torch
        >>> from packtrain.trainer.data.split import LAST, Split
        >>> split = Split(0, validation=0.2, test=0.2, method=LAST)
        >>> [part.tolist() for part in split.parts(5, torch.device("cpu"))]
        [[0, 1, 2], [3], [4]]
        """
        order, part = METHODS[self.method](self, samples, device)
        train, validation, test = (order[part == which] for which in (TRAIN, VALIDATION, TEST))
        if not len(train):
            raise UserError(self._nothing_left(samples))
        return train, validation, test

    def within(self, starts: Tensor, counts: Tensor) -> list[Parts]:
        """The samples of each part of each of G segments, as if it were alone: starts [G], counts [G].

        A segment of which none would be left to train on keeps all.

        >>> import torch
        >>> from packtrain.trainer.data.split import Split
        >>> parts = Split(0, validation=0.5).within(torch.tensor([0, 2]), torch.tensor([2, 1]))
        >>> [[len(part) for part in of_segment] for of_segment in parts]
        [[1, 1, 0], [1, 0, 0]]
        """
        known: dict[int, Parts] = {}  # segments of one size are alike where no values differ
        made = []
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            parts = known.get(count) or self._alone(start, count, starts.device)
            if self.values is None:
                known[count] = parts
            train, validation, test = (start + part for part in parts)
            made.append((train, validation, test))
        return made

    def _alone(self, start: int, count: int, device: torch.device) -> Parts:
        values = None if self.values is None else self.values[start : start + count]
        alone = self if values is None else replace(self, values=values.unique(return_inverse=True)[1])
        nothing = torch.empty(0, dtype=torch.int64, device=device)
        whole = torch.arange(count, device=device), nothing, nothing
        try:
            return alone.parts(count, device) if count > 1 else whole
        except UserError:
            return whole

    def counts(self, units: int) -> tuple[int, int]:
        """How many of so many samples, or groups, are held out to validate by, and to test by."""
        validation, test = (max(1, round(f * units)) if f else 0 for f in (self.validation, self.test))
        return validation, test

    def notes(self, train: int, validation: int, test: int) -> list[str]:
        """What the parts have come to, a sentence; none where that is plain.

        >>> from packtrain.trainer.data.split import Split
        >>> Split(0, test=0.2, method="group", column="plate").notes(70, 0, 30)
        ['held out by plate: 30 samples to test by; 70 are left to train on']
        """
        if not self.column:
            return []
        parts = [(validation, "validate by"), (test, "test by")]
        texts = [f"{count:,} samples to {what}" for count, what in parts if count]
        return [f"held out by {self.column}: {' and '.join(texts)}; {train:,} are left to train on"]

    def _nothing_left(self, samples: int) -> str:
        given = [f"data.{name}={f:g}" for name in ("validation", "test") if (f := getattr(self, name))]
        of = f"the {samples} samples"
        if self.column and self.values is not None:
            of += f" with the {len(self.values.unique())} values of {self.column}"
        hold = "hold" if len(given) > 1 else "holds"
        return f"{' and '.join(given)} {hold} out all of {of}: leave some to train on"


def _random(split: Split, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(an order of the samples, the part of each in that order)."""
    return _drawn(split.seed, samples, device), _ends(samples, *split.counts(samples), device)


def _stratified(split: Split, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Of each class the first and the last of its samples, in a drawn order; one stays to train on."""
    assert split.values is not None
    order = _drawn(split.seed, samples, device)
    classes = split.values.to(device)[order]
    sizes = torch.bincount(classes)
    validation, test = (_shares(sizes, count) for count in split.counts(samples))
    validation = validation.minimum((sizes - 1).clamp(min=0))
    test = test.minimum((sizes - 1 - validation).clamp(min=0))
    by_class = classes.argsort(stable=True)
    place = torch.empty_like(order)
    place[by_class] = torch.arange(samples, device=device) - (sizes.cumsum(0) - sizes)[classes[by_class]]
    part = torch.zeros_like(order)
    part[place >= (sizes - test)[classes]] = TEST
    part[place < validation[classes]] = VALIDATION
    return order, part


def _shares(sizes: Tensor, count: int) -> Tensor:
    """`count` shared out by `sizes` [K], each share within 1 of its due: differences of rounded sums."""
    total = int(sizes.sum())
    sums = (2 * sizes.cumsum(0) * count + total) // (2 * total)
    return sums.diff(prepend=sums.new_zeros(1))


def _last(split: Split, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    places = torch.arange(samples, device=device)
    return _by_time(replace(split, values=places), samples, device)


def _by_time(split: Split, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The last ones are the test, those before them the validation; what is of one time stays together."""
    assert split.values is not None
    times = split.values.to(device)
    ordered, part, left = times.sort().values, torch.zeros_like(times), samples
    validation, test = split.counts(samples)
    for which, count in ((TEST, test), (VALIDATION, validation)):
        if count and left:
            first = ordered[max(0, left - count)]
            part[(times >= first) & (part == TRAIN)] = which
            left = int((ordered < first).sum())
    return torch.arange(samples, device=device), part


def _by_group(split: Split, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    assert split.values is not None
    groups = split.values.to(device)
    count = int(groups.max()) + 1
    of_group = torch.empty(count, dtype=torch.int64, device=device)
    of_group[_drawn(split.seed, count, device)] = _ends(count, *split.counts(count), device)
    return torch.arange(samples, device=device), of_group[groups]


METHODS: dict[str, Callable[[Split, int, torch.device], tuple[Tensor, Tensor]]] = {
    RANDOM: _random,
    STRATIFIED: _stratified,
    LAST: _last,
    GROUP: _by_group,
    TIME: _by_time,
}


def _ends(units: int, validation: int, test: int, device: torch.device) -> Tensor:
    """The first are to validate by, the last to test by: so neither depends on how many the other has."""
    part = torch.zeros(units, dtype=torch.int64, device=device)
    part[max(0, units - test) :] = TEST
    part[:validation] = VALIDATION
    return part


def _drawn(seed: int, count: int, device: torch.device) -> Tensor:
    """An order of `count`, by the seed."""
    key, places = torch.tensor(seed, device=device), torch.arange(count, device=device)
    parts = [permutation(key, Purpose.SPLIT, part, count) for part in places.split(BLOCK)]
    return torch.cat(parts)
