"""What was typed -> what Hydra reads: options in any place, values with any characters."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from ...kernels.common.errors import UserError
from ..config.grammar import with_quotes
from ..config.sentences import known_fields


def for_hydra(arguments: Sequence[str]) -> list[str]:
    """The command line with its options first, and with quotes around the values that need some.

    Raises UserError for an option that there isn't, a value that it can't have, and a field with dashes.

    >>> for_hydra(["seed=1,2", "-m", "name=größe"])
    ['--multirun', 'seed=1,2', 'name="größe"']
    """
    options, words = split(arguments)
    return [*options, *map(with_quotes, words)]


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of Hydra's on a command line, spelled out, and all other words. Raises UserError.

    >>> split(["seed=1,2", "-m", "points.csv"])
    (['--multirun'], ['seed=1,2', 'points.csv'])
    """
    _refuse_dashes(arguments)
    parser = get_args_parser()
    parser.error = _refuse  # pyright: ignore[reportAttributeAccessIssue]
    options = dict(parser.parse_intermixed_args(list(arguments))._get_kwargs())
    words = options.pop("overrides")
    if (folder := options["config_dir"]) is not None and not Path(folder).is_dir():
        what = "is a file" if Path(folder).exists() else "isn't there"
        raise UserError(f"--config-dir takes a folder of configs, and {folder} {what}")
    return [*_spelled(options)], words


def _refuse_dashes(arguments: Sequence[str]) -> None:
    for argument in arguments:
        field = argument.removeprefix("--").partition("=")[0]
        if argument.startswith("--") and field in known_fields():
            raise UserError(f"choices and fields have no dashes: {field}=..., got {argument}")


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{message}; packtrain --hydra-help lists the options")


def _spelled(options: dict[str, str | bool | None]) -> Iterator[str]:
    """The options as one types them."""
    for name, value in options.items():
        if value is not None and value is not False:
            option = f"--{name.replace('_', '-')}"
            yield option if value is True else f"{option}={value}"
