"""The values that texts in model.initial have in the data: a number for each run, of its own samples alone.

Sums are taken in an order that depends on the number of samples alone, all else is exact, so that a data set
among others has the number that it has alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ...kernels.elementwise.reference import evaluate
from ...kernels.language.expr import Expr, name, walk
from ...kernels.sums import sum_in_order
from ..config.data_values import AUTO, INITIAL, Aggregate, DataValue, read_value
from ..data.dataset import Dataset


def _mean(values: Tensor) -> Tensor:
    return sum_in_order(values) / values.shape[1]


def _std(values: Tensor) -> Tensor:
    return _mean((values - _mean(values)[:, None]).square()).sqrt()


def _quantile(values: Tensor, level: float) -> Tensor:
    """Between the two nearest in order, in proportion."""
    place = level * (values.shape[1] - 1)
    low = int(place)
    ordered = values.sort(1).values
    below, above = ordered[:, low], ordered[:, min(low + 1, values.shape[1] - 1)]
    return below + (place - low) * (above - below)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {  # values [K, n] -> [K]
    "min": lambda values: values.amin(1),
    "max": lambda values: values.amax(1),
    "mean": _mean,
    "median": lambda values: _quantile(values, 0.5),
    "std": _std,
    "sum": sum_in_order,
    "first": lambda values: values[:, 0],
    "last": lambda values: values[:, -1],
    "count": lambda values: torch.full_like(values[:, 0], values.shape[1]),
}


class DataValues:
    """What texts say of the samples of R runs that count, in float64."""

    def __init__(self, data: Dataset, runs: int) -> None:
        self.data, self.runs = data.counted, runs
        self.known: dict[str, Tensor] = {}

    def of(self, text: str, field: str) -> Tensor:
        """The number that the text in `field` says, [R]: NaN where a run has no samples. Raises UserError."""
        if text not in self.known:
            self.known[text] = self._value(read_value(text, field), field)
        return self.known[text]

    def _value(self, value: DataValue, field: str) -> Tensor:
        leaves = {part: self._aggregated(aggregate, field) for part, aggregate in value.parts.items()}
        leaves |= {word: self._constant(word, field) for word in value.constants}
        return self._evaluated(value.root, leaves, self.runs)

    def _evaluated(self, root: Expr, leaves: Mapping[str, Tensor], size: int) -> Tensor:
        """The expression of [size] numbers each."""
        like = torch.zeros(size, dtype=torch.float64)
        values = {name("like"): like} | {name(word): numbers for word, numbers in leaves.items()}
        evaluate(walk(root), values)
        return values[root].expand(size)

    def _aggregated(self, aggregate: Aggregate, field: str) -> Tensor:
        parts = walk(aggregate.root)
        words = [str(part.value) for part in parts if part.op == "name"]
        samples = len(self.data)
        values = self._evaluated(aggregate.root, {word: self._column(word, field) for word in words}, samples)
        return self._by_run(values, aggregate)

    def _by_run(self, values: Tensor, aggregate: Aggregate) -> Tensor:
        """What the function makes of each run's values."""
        level = aggregate.level
        function = FUNCTIONS.get(aggregate.function, lambda own: _quantile(own, level))
        result = values.new_full((self.runs,), torch.nan)
        if self.data.segments is None:
            return function(values[None]).expand(self.runs) if len(values) else result
        for runs, places in self.data.segments.by_size():
            if places.shape[1]:
                result[runs.cpu()] = function(values[places.cpu()])
        return result

    def _constant(self, word: str, field: str) -> Tensor:
        """The one value that a column has in each run. Raises UserError where it has several in one."""
        values = self._column(word, field)
        first, least, greatest = (
            self._by_run(values, Aggregate(function, name(word))) for function in ("first", "min", "max")
        )
        if (differ := least < greatest).any():
            run = int(differ.nonzero()[0])
            raise UserError(
                f"{field}: {word} is one number where it is the same in all samples of a data set, and it is "
                f"from {least[run]:g} to {greatest[run]:g}: take one of its values, as in mean({word}) or "
                f"first({word})"
            )
        return first

    def _column(self, word: str, field: str) -> Tensor:
        """The values of a variable or a column in all samples, [N]."""
        data = self.data
        if word in data.input_names:
            return data.inputs[:, data.input_names.index(word)].double().cpu()
        if word in data.target_names and data.targets.is_floating_point() and not data.one_hot:
            return data.targets[:, data.target_names.index(word)].double().cpu()
        if word in data.columns:
            column = data.columns[word]
            return column if data.rows is None else column[data.rows.cpu()]
        known = [*data.input_names, *data.target_names, *data.columns]
        raise UserError(
            f"{field}: the data have no column {word!r}{nearest(word, known)}; they have {', '.join(known)}"
        )


def with_values(initial: Mapping[str, Sequence[Any]], data: Dataset | None) -> dict[str, list[Any]]:
    """`initial` of R runs each, with numbers in the places of texts. Raises UserError.

    >>> import torch
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.data_values import with_values
    >>> data = Dataset(torch.tensor([[1.0], [4.0]]), torch.tensor([[2.0], [6.0]]), ("x",), ("y",))
    >>> with_values({"a": ["max(y)"], "k": [["1/mean(x)", 3]]}, data)
    {'a': [6.0], 'k': [[0.4, 3]]}
    """
    runs = max(map(len, initial.values()), default=0)
    values = None if data is None else DataValues(data, runs)
    return {parameter: _numbers(INITIAL + parameter, given, values) for parameter, given in initial.items()}


def _numbers(field: str, given: Sequence[Any], values: DataValues | None) -> list[Any]:
    """The starts of one parameter."""
    known: dict[str, list[float]] = {}

    def number(start: Any, run: int) -> Any:
        if not isinstance(start, str) or start == AUTO:
            return start
        if values is None:
            raise UserError(f"{field}={start} is a value of the data, and there are none here")
        if start not in known:
            known[start] = values.of(start, field).tolist()
        return known[start][run]

    return [
        [number(end, run) for end in start] if isinstance(start, (list, tuple)) else number(start, run)
        for run, start in enumerate(given)
    ]
