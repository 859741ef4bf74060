"""data=stream: the files, their columns, which rows are held out, and one pass that counts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import torch

from ....kernels.common.errors import UserError
from ....kernels.equations.losses import CROSS_ENTROPY
from ....kernels.language import Graph, notes
from ...config.schema import LAST, DataConfig
from ..columns import find_columns
from ..dataset import Data, Dataset, check_targets, rounded
from ..features import Feature
from ..memory import available_memory, check_memory
from ..order import FEWEST, TOGETHER
from ..split import Split
from .counted import Counted, count
from .recipe import Recipe
from .source import Source
from .stored import NUMBERS
from .streamed import Stream, Streamed

SAMPLES = 1 << 12  # of which some look at
RESIDENT = 2  # windows, which are in memory all the same


def load_stream(
    config: DataConfig, graph: Graph | None, loss: str, device: torch.device, dtype: torch.dtype
) -> Data:
    """The data in files that `config` names, of which only what is needed is read.

    What is no larger than two windows is read once, and stays in memory; order and bits are the same.
    Raises UserError.

    >>> import tempfile
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.stream.load import load_stream
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/data.npy", np.ones((9, 2)))
    ...     config = DataConfig("stream", path=f"{folder}/data.npy", columns={"x": "x_0", "y": "x_1"})
    ...     config.block, config.window = 3, 3
    ...     data = load_stream(config, parse("y = a*x"), "mse", torch.device("cpu"), torch.float32)
    ...     len(data.train), data.train.part(slice(0, 2)).inputs.tolist()
    (9, [[1.0], [1.0]])
    """
    source = Source(config.path)
    if not config.by_blocks:
        _check_scattered(source)
    recipe, told = _recipe(source, config, graph, loss, dtype)
    cuts = source.cuts(config.block)
    train, validation, test = _parts(config, source.rows, cuts)
    counted, recipe = count(source, recipe, train, [*validation, *test])
    _check_ends(counted, recipe, loss)
    scaled = _scaled(config, counted, recipe)
    window = config.window or max(FEWEST, TOGETHER * max(cuts))

    def part(spans: Sequence[range]) -> Dataset:
        return _part(Stream(source, scaled, spans, window, device), source)

    whole = part(train)
    held_out = [part(spans) if spans else None for spans in (validation, test)]
    sentences = [
        *told,
        *_unlike(config, counted, recipe, source, whole),
        *_rounding(source, scaled, train, dtype),
    ]
    return Data(whole, held_out[0], tuple(sentences), held_out[1])


def _check_scattered(source: Source) -> None:
    """Raises UserError where single rows can't be read quickly."""
    for file in source.files:
        file.scattered([], np.empty(0, np.int64))


def _recipe(
    source: Source, config: DataConfig, graph: Graph | None, loss: str, dtype: torch.dtype
) -> tuple[Recipe, list[str]]:
    """The columns that are read, and what is to be said of them. Raises UserError for one of no use."""
    table, of_classes = source.table(), loss == CROSS_ENTROPY
    found = find_columns(table, config.columns, graph, of_classes)
    if found.weights or found.sigma:
        raise UserError("data=stream has no weights yet: leave weights and sigma out of data.columns")
    if of_classes and len(found.targets) != 1:
        raise UserError(f"cross_entropy takes one column of class labels; got {', '.join(found.targets)}")
    inputs, targets = (tuple(names.values()) for names in (found.inputs, found.targets))
    for name in (*inputs, *(() if of_classes else targets)):
        kind = source.kind(name) if name in table.columns else "a category"
        if kind != NUMBERS:
            raise UserError(
                f"data=stream takes columns of numbers, and {name} of {source.path} holds {kind}: what words "
                "and dates become is learned from all rows, as data=file does"
            )
    shown = {"inputs": tuple(found.inputs), "targets": tuple(found.targets)}
    labels = np.empty(0) if of_classes else None
    recipe = Recipe(inputs, targets, dtype, labels, called=(shown["inputs"], shown["targets"]))
    return recipe, notes(graph, table.names) if graph else []


def _parts(
    config: DataConfig, rows: int, cuts: Sequence[int]
) -> tuple[list[range], list[range], list[range]]:
    """The blocks of rows to train on, to validate by and to test by. Raises UserError where none is left."""
    ends = list(accumulate(cuts, initial=0))
    blocks = [range(start, start + size) for start, size in zip(ends, cuts, strict=False)]
    held_out = Split(config.seed, config.validation, config.test, method=str(config.split))
    if not (config.validation or config.test):
        return blocks, [], []
    if config.split == LAST:
        validation, test = held_out.counts(rows)
        first, second = rows - test - validation, rows - test
        if first <= 0:
            raise UserError(f"data.validation and data.test hold out all of the {rows:,} samples")
        bounds = (0, first), (first, second), (second, rows)
        train, to_validate, to_test = ([*_within(blocks, *pair)] for pair in bounds)
        return train, to_validate, to_test
    if len(blocks) < 2:
        raise UserError(
            f"data.split={config.split} holds out whole blocks, and data.path={config.path} is one: make "
            "data.block smaller, or data.split=last"
        )
    drawn = replace(held_out, method="random").parts(len(blocks), torch.device("cpu"))
    train, to_validate, to_test = ([blocks[b] for b in sorted(part.tolist())] for part in drawn)
    return train, to_validate, to_test


def _within(blocks: Sequence[range], start: int, stop: int) -> Iterator[range]:
    """What of the blocks lies in rows start..stop-1."""
    for block in blocks:
        part = range(max(block.start, start), min(block.stop, stop))
        if part:
            yield part


def _scaled(config: DataConfig, counted: Counted, recipe: Recipe) -> Recipe:
    """The recipe with the scales of data.standardize, by the training part."""
    wanted = config.standardized
    if not wanted:
        return recipe
    if "targets" in wanted and recipe.labels is not None:
        raise UserError("data.standardize scales the targets, and these are classes: data.standardize=inputs")
    mean, std, inputs = counted.mean.copy(), counted.std.copy(), len(recipe.inputs)
    for what, columns in (("inputs", slice(0, inputs)), ("targets", slice(inputs, None))):
        if what not in wanted:
            mean[columns], std[columns] = 0.0, 1.0
    return replace(recipe, mean=mean, std=std, wanted=tuple(wanted))


def _part(stream: Stream, source: Source) -> Dataset:
    recipe = stream.recipe
    few, of_few = stream.source.later(stream.samples, 0, min(SAMPLES, len(stream))).result()
    mean, std = recipe.scales("inputs", stream.device)
    target_mean, target_std = recipe.scales("targets", stream.device)
    names, targets = recipe.called
    if recipe.labels is not None:
        targets = tuple(map(str, recipe.labels))
    columns = zip((*names, *recipe.called[1]), recipe.names, strict=True)
    data = Streamed(
        few,
        of_few,
        names,
        targets,
        label=recipe.targets[0] if recipe.labels is not None else "",
        origins={name: f"{source.path}, column {column}" for name, column in columns},
        features=tuple(Feature(name, column) for name, column in zip(names, recipe.inputs, strict=True)),
        stream=stream,
        mean=mean,
        std=std,
        target_mean=target_mean,
        target_std=target_std,
    )
    if stream.blocks.windows > RESIDENT:
        return data
    check_memory(
        2 * len(stream) * stream.bytes_a_sample, available_memory(), source.path, "take a smaller data.window"
    )
    return data.resident()


def _check_ends(counted: Counted, recipe: Recipe, loss: str) -> None:
    """Raises UserError where a loss can't take a target."""
    if recipe.labels is None:
        ends = np.stack([counted.least, counted.most])[:, len(recipe.inputs) :]
        check_targets(torch.from_numpy(ends), recipe.called[1], loss)


def _rounding(source: Source, recipe: Recipe, train: Sequence[range], dtype: torch.dtype) -> Iterator[str]:
    """What the cast to `dtype` costs, by the first samples. Raises UserError where that is too much."""
    exact = replace(recipe, dtype=torch.float64)
    first = train[0].start, min(train[0].stop, train[0].start + SAMPLES)
    piece = source.later(lambda: next(source.pieces(recipe.names, *first))).result()
    room = exact.room(len(piece))
    exact.write(piece, room)
    mean, names = torch.zeros(1) if "inputs" in recipe.wanted else None, recipe.called
    few = Dataset(room.inputs, room.targets, names[0], names[1], mean=mean)
    yield from rounded(few, dtype)


def _unlike(
    config: DataConfig, counted: Counted, recipe: Recipe, source: Source, whole: Dataset
) -> Iterator[str]:
    """A sentence where windows are unlike one another, so that their order matters."""
    names, places = [*recipe.inputs, *recipe.targets], counted.unlike()
    if not config.by_blocks or not len(places) or (whole.blocks and whole.blocks.windows == 1):
        return
    share = np.sqrt(counted.between[places[0]] / counted.squares[places[0]])
    yield (
        f"the blocks of {source.path} are unlike one another, as in files sorted by {names[places[0]]}: "
        f"their means spread by {share:.0%} of its whole spread, and an order by blocks keeps what is alike "
        "together; shuffle them once on disk (packtrain shuffle FILES OUT), and stream that"
    )
