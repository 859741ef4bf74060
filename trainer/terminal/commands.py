"""The commands that have a word of their own: `packtrain WORD ...`; what they need is imported then."""

from collections.abc import Callable, Sequence

from .arguments import read_board, read_export, read_plot, read_predict, read_show
from .explain_words import read_explain


def show(arguments: Sequence[str]) -> None:
    """Lists the runs of a folder, or shows one.

    >>> show(["nowhere"])
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: expected packtrain show ...
    """
    given = read_show(arguments)
    from .show import show  # noqa: PLC0415 (pyarrow takes half a second)

    show(**given)


def export(arguments: Sequence[str]) -> None:
    """Writes a run's model, or the curves, into files for use elsewhere.

    >>> export(["nowhere"])
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: expected packtrain export ...
    """
    given = read_export(arguments)
    from .export import export, export_curves  # noqa: PLC0415 (torch takes seconds)

    what, formats = given.pop("what"), given.pop("formats")
    export_curves(**given) if what else export(**given, formats=formats)


def predict(arguments: Sequence[str]) -> None:
    """Writes what a run predicts for the rows of a file.

    >>> predict(["nowhere"])
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: expected packtrain predict ...
    """
    given = read_predict(arguments)
    from .predict import predict  # noqa: PLC0415 (torch takes seconds)

    predict(**given)


def plot(arguments: Sequence[str]) -> None:
    """Draws a picture of a folder.

    >>> plot(["nowhere"])
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: expected packtrain plot ...
    """
    given = read_plot(arguments)
    from .plot import plot  # noqa: PLC0415 (torch takes seconds)

    plot(**given)


def explain(arguments: Sequence[str]) -> None:
    """Prints what a training computes at a sample, or what a trained run does.

    >>> explain(["nowhere"])
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: ...
    """
    given = read_explain(arguments)
    from .explain import explain  # noqa: PLC0415 (torch takes seconds)

    explain(**given)


def board(arguments: Sequence[str]) -> None:
    """Serves TensorBoard with the curves of a folder.

    >>> board(["nowhere"])
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: ...
    """
    given = read_board(arguments)
    from .board import board  # noqa: PLC0415 (TensorBoard takes a second)

    board(**given)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "show": show,
    "export": export,
    "predict": predict,
    "plot": plot,
    "explain": explain,
    "board": board,
}
