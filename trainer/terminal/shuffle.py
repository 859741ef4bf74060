"""`packtrain shuffle FILES OUT`: rows in a random order, once for all trainings that stream them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..console.tables import new_console, print_plain
from ..data.stream import shuffle as rows

USAGE = "packtrain shuffle FILES OUT.parquet [seed=N]"
HELP = f"""usage: {USAGE}

Writes the rows of files that data=stream reads into one Parquet file, in a random order. A file that is
sorted by an input trains badly by blocks, in which what is alike stays together; shuffled once it does well.

  FILES          a file, or a pattern in quotes, such as 'train/*.parquet'
  OUT.parquet    the file that is written; as much room again is needed beside it for a while
  seed=N         another order (default: 0)
"""


def read_shuffle(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain shuffle ARGUMENTS` gives the function `shuffle`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> read_shuffle(["train/*.parquet", "out.parquet", "seed=3"])
    {'files': 'train/*.parquet', 'to': PosixPath('out.parquet'), 'seed': 3}
    """
    if {"--help", "-h"} & {*arguments}:
        print(HELP, end="")
        raise SystemExit(0)
    words = [word for word in arguments if not word.startswith("seed=")]
    seed = next((word.removeprefix("seed=") for word in arguments if word.startswith("seed=")), "0")
    if len(words) != 2 or not seed.isdecimal():
        raise UserError(f"expected {USAGE}; got {' '.join(arguments) or 'nothing'}")
    return {"files": words[0], "to": Path(words[1]), "seed": int(seed)}


def shuffle(files: str, to: Path, seed: int) -> None:
    """Writes the rows of `files` into `to`, in an order drawn by `seed`, and says so. Raises UserError.

    >>> shuffle("nowhere.parquet", Path("out.parquet"), seed=0)
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: there is no file nowhere.parquet ...
    """
    count = rows.shuffle(files, to, seed)
    print_plain(new_console(), f"{to}: {count:,} rows of {files} in a random order (seed={seed})")
