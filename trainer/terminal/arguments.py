"""The arguments of `packtrain show`, `export` and `predict`: --sort COLUMN, or as in Hydra sort=COLUMN."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ...kernels.common.errors import UserError, nearest

SHOW_OPTIONS, EXPORT_OPTIONS, PREDICT_OPTIONS = (
    ("sort", "limit", "run"),
    ("run", "to", "format"),
    ("run", "to"),
)
SHOW_USAGE = (
    "packtrain show FOLDER [COLUMN=VALUE,VALUE]... ['COLUMN<VALUE']... [sort=COLUMN] [sort=-COLUMN] "
    "[limit=N] [run=N]"
)
EXPORT_USAGE = "packtrain export FOLDER [run=N | run=best] [to=FOLDER] [format=NAME,NAME]"
PREDICT_USAGE = "packtrain predict FOLDER FILE [run=N | run=best] [to=FILE]"
SHOW_HELP = """\
Lists the runs of a training, a sweep or a search, the best first; or shows one run whole.
Of several seeds it lists the settings first, by the mean of their runs.
A sweep that is still running can be looked at too.
"""
SHOW_EXAMPLES = """\
An option may be written as a word, as in Hydra: sort=COLUMN is --sort COLUMN.

examples:
  packtrain show FOLDER                            the 20 best runs
  packtrain show FOLDER sort=seed limit=all        all runs, by their seeds
  packtrain show FOLDER sort=-metrics.accuracy     the most accurate first
  packtrain show FOLDER outcome=finished seed=3,4  those that finished, of two seeds
  packtrain show FOLDER 'optimizer.lr<0.01'        < and > stand in quotes: they mean something to the shell
  packtrain show FOLDER run=17                     all that is known of run 17, and its config
  packtrain show FOLDER run=best                   the same of the best run
"""
EXPORT_HELP = """\
Writes one run's model into files that need no Packtrain to be read: its parameters as model.safetensors,
its config as config.yaml, and of an expression graph the fitted equations as text, LaTeX and Python.
Of an MLP, as far as format names them:

  state_dict     state_dict.safetensors for torch.nn.Sequential, and model.py, which builds and loads that
  numpy          predict.py, a function that needs NumPy alone, and its weights, predict.npz
  torch          model.pt2, for torch.export.load
  onnx           model.onnx; needs pip install 'packtrain[onnx]'
"""
EXPORT_EXAMPLES = """\
An option may be written as a word, as in Hydra: run=17 is --run 17.

examples:
  packtrain export FOLDER                          the best run, into FOLDER/export/run-0017 if that is it
  packtrain export FOLDER run=3 to=mine            run 3, into the folder mine
  packtrain export FOLDER format=numpy,onnx        of an MLP: a function of NumPy, and ONNX
"""
PREDICT_HELP = """\
Writes the rows of a file, with what a finished training predicts for each, into another file.
The file has the columns that the training had: words and dates become what they became there, and numbers
are scaled as they were. Predictions are in predicted.NAME; of classes it holds the label, and
probability.LABEL the probability of each.
"""
PREDICT_EXAMPLES = """\
An option may be written as a word, as in Hydra: run=17 is --run 17.

examples:
  packtrain predict FOLDER new.csv                 the best run's, into new.predicted.csv; with data.group
                                                   each row's by the run of its group
  packtrain predict FOLDER new.csv run=3           those of run 3
  packtrain predict FOLDER new.csv to=out.parquet  into another file, .csv or .parquet
"""


def read_show(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain show ARGUMENTS` gives the function `show`, by name; limit=all is None.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_show([".", "sort=-steps", "seed=3,4", "--limit", "5"])
    >>> given["conditions"], given["sort"], given["limit"], given["run"]
    (['seed=3,4'], '-steps', 5, None)
    """
    parser = _Parser("packtrain show", SHOW_USAGE, SHOW_OPTIONS, SHOW_HELP, SHOW_EXAMPLES)
    conditions = "only runs for which COLUMN=VALUE holds (or !=, <, <=, >, >=), by the columns of runs.csv"
    parser.add_argument("conditions", metavar="CONDITION", nargs="*", help=conditions)
    parser.add_argument("--sort", metavar="COLUMN", help="sort by this column; with a minus, downwards")
    parser.add_argument("--limit", metavar="N", default="20", help="so many runs at most (20), or all")
    parser.add_argument("--run", metavar="N", help="one run whole, by its index, or best")
    given = parser.read(arguments)
    return given | {"limit": _limit(given["limit"])}


def read_export(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain export ARGUMENTS` gives the function `export`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_export([".", "run=3"])
    >>> given["run"], given["to"], given["formats"]
    ('3', None, None)
    """
    parser = _Parser("packtrain export", EXPORT_USAGE, EXPORT_OPTIONS, EXPORT_HELP, EXPORT_EXAMPLES)
    parser.add_argument("--run", metavar="N", default="best", help="which run, by its index (default: best)")
    parser.add_argument("--to", metavar="FOLDER", help="where the files go (default: in FOLDER/export)")
    parser.add_argument("--format", metavar="NAMES", help="of an MLP (default: state_dict,numpy)")
    given = parser.read(arguments)
    formats = given.pop("format")
    return given | {
        "to": Path(given["to"]) if given["to"] else None,
        "formats": formats.split(",") if formats else None,
    }


def read_predict(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain predict ARGUMENTS` gives the function `predict`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_predict([".", "pyproject.toml", "run=3"])
    >>> given["run"], given["to"]
    ('3', None)
    """
    parser = _Parser("packtrain predict", PREDICT_USAGE, PREDICT_OPTIONS, PREDICT_HELP, PREDICT_EXAMPLES)
    parser.add_argument("file", metavar="FILE", nargs="?", help="what is predicted, a row a prediction")
    parser.add_argument("--run", metavar="N", help="which run, by its index, or best")
    parser.add_argument("--to", metavar="FILE", help="the file that is written: .csv or .parquet")
    given = parser.read(arguments)
    if given["file"] is None or not Path(given["file"]).is_file():
        got = f"; {given['file']} is no file" if given["file"] else ""
        raise UserError(f"expected {PREDICT_USAGE}, with a file that is there{got}")
    return given | {"file": Path(given["file"]), "to": Path(given["to"]) if given["to"] else None}


class _Parser(ArgumentParser):
    """A parser of FOLDER and options, whose mistakes are UserErrors."""

    def __init__(self, command: str, usage: str, options: Sequence[str], about: str, examples: str) -> None:
        super().__init__(
            command, usage, about, examples, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False
        )
        self.options = options
        folder = "the folder of a training, a sweep or a search"
        self.add_argument("folder", metavar="FOLDER", nargs="?", help=folder)

    def read(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The value of each argument, by name. Raises UserError."""
        given, unknown = self.parse_known_intermixed_args(list(self._as_options(arguments)))
        if unknown:
            raise UserError(f"expected {self.usage}; got {unknown[0]}{self._nearest(unknown[0])}")
        if given.folder is None or not Path(given.folder).is_dir():
            got = f"; {given.folder} is no folder" if given.folder else ""
            raise UserError(f"expected {self.usage}, with the folder of a training or a sweep{got}")
        return {**given.__dict__, "folder": Path(given.folder)}

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message}; {self.prog} --help explains")

    def _as_options(self, arguments: Sequence[str]) -> Iterator[str]:
        """NAME=VALUE and --NAME VALUE as --NAME=VALUE; values and folders may begin with a minus."""
        words = iter(arguments)
        for word in words:
            if word.partition("=")[0] in self.options:
                yield f"--{word}"
            elif word in self._dashed() and (value := next(words, None)) is not None:
                yield f"{word}={value}"
            elif word.startswith("-") and Path(word).is_dir():
                yield f"./{word}"
            else:
                yield word

    def _nearest(self, word: str) -> str:
        """The option that is most like a word that is none."""
        return nearest(word.partition("=")[0], self._dashed() if word.startswith("-") else self.options)

    def _dashed(self) -> list[str]:
        return [f"--{option}" for option in self.options]


def _limit(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise UserError(f"limit is a number of runs, or all; got {text!r}")
    return int(text)
