"""The arguments of the commands beside Hydra's, as `packtrain show`: --sort COLUMN, or sort=COLUMN."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ...kernels.common.errors import UserError, nearest
from ..pictures.kinds import listed_kinds, read_options

SHOW_OPTIONS, EXPORT_OPTIONS, PREDICT_OPTIONS, PLOT_OPTIONS, BOARD_OPTIONS = (
    ("sort", "limit", "run"),
    ("run", "to", "format"),
    ("run", "to"),
    ("run", "to"),
    ("all", "port"),
)
CURVES = "curves"
SHOW_USAGE = (
    "packtrain show FOLDER [COLUMN=VALUE,VALUE]... ['COLUMN<VALUE']... [sort=COLUMN] [sort=-COLUMN] "
    "[limit=N] [run=N]"
)
EXPORT_USAGE = "packtrain export FOLDER [curves] [run=N | run=best] [to=FOLDER] [format=NAME,NAME]"
PREDICT_USAGE = "packtrain predict FOLDER FILE [run=N | run=best] [to=FILE]"
PLOT_USAGE = "packtrain plot FOLDER [KIND] [OPTION=VALUE]... [run=N | run=best] [to=FILE.png | to=FILE.svg]"
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

With the word curves it writes what was recorded of all runs, or of one, into one file, .csv or .parquet.
"""
EXPORT_EXAMPLES = """\
An option may be written as a word, as in Hydra: run=17 is --run 17.

examples:
  packtrain export FOLDER                          the best run, into FOLDER/export/run-0017 if that is it
  packtrain export FOLDER run=3 to=mine            run 3, into the folder mine
  packtrain export FOLDER format=numpy,onnx        of an MLP: a function of NumPy, and ONNX
  packtrain export FOLDER curves                   the curves of all runs, into FOLDER/export/curves.csv
  packtrain export FOLDER curves to=all.parquet    the same into another file, .csv or .parquet
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
PLOT_HELP = """\
Draws a picture of a finished training or sweep from its folder: as at its end, of another run, with other
options, or as SVG. Without a KIND it says which pictures there are of the folder. The kinds:

"""
PLOT_EXAMPLES = """\
An option may be written as a word, as in Hydra: run=17 is --run 17.

examples:
  packtrain plot FOLDER                            what can be drawn of it, and what can't, and why
  packtrain plot FOLDER fit                        FOLDER/fit.png, of the best run
  packtrain plot FOLDER fit run=17 to=fit.svg      of run 17, into a file of your own
"""


BOARD_USAGE = "packtrain board FOLDER [all=true] [port=6006]"
BOARD_HELP = """\
Starts TensorBoard on this machine, with the curves of a training, a sweep or a search, and says its address.
Of many runs it shows the ten best and a summary of all, with curves at once; all=true shows every run, and
HParams' table of them. Of a folder of several trainings, as outputs, it shows each by its name.
Ctrl-C ends it.
"""
BOARD_EXAMPLES = """\
An option may be written as a word, as in Hydra: port=6007 is --port 6007.

examples:
  packtrain board FOLDER                           the curves of the best runs
  packtrain board FOLDER all=true                  every run, for HParams
  packtrain board outputs                          all that was trained, side by side
"""


def read_board(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain board ARGUMENTS` gives the function `board`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_board([".", "all=true"])
    >>> given["every"], given["port"]
    (True, 6006)
    """
    parser = _Parser("packtrain board", BOARD_USAGE, BOARD_OPTIONS, BOARD_HELP, BOARD_EXAMPLES)
    parser.add_argument("--all", metavar="true", default="false", help="every run, not the best ten alone")
    parser.add_argument("--port", metavar="N", default="6006", help="the next free one is taken (6006)")
    given = parser.read(arguments)
    every, port = given.pop("all").lower(), given["port"]
    if every not in ("true", "false"):
        raise UserError(f"all is true or false; got {every!r}")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UserError(f"port is a number from 1 to 65535; got {port!r}")
    return {**given, "every": every == "true", "port": int(port)}


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
    >>> given["what"], given["run"], given["to"], given["formats"]
    (None, '3', None, None)
    """
    parser = _Parser("packtrain export", EXPORT_USAGE, EXPORT_OPTIONS, EXPORT_HELP, EXPORT_EXAMPLES)
    parser.add_argument("what", metavar="curves", nargs="?", help="curves: what was recorded, not a model")
    which = "which run, by its index (default: best; of curves all)"
    parser.add_argument("--run", metavar="N", help=which)
    where = "the folder of the files, or the file of the curves (default: in FOLDER/export)"
    parser.add_argument("--to", metavar="FOLDER", help=where)
    parser.add_argument("--format", metavar="NAMES", help="of an MLP (default: state_dict,numpy)")
    given = parser.read(arguments)
    formats = given.pop("format")
    if given["what"] not in (None, CURVES):
        word = given["what"]
        near = nearest(word.partition("=")[0], [CURVES, *EXPORT_OPTIONS])
        raise UserError(f"expected {EXPORT_USAGE}; got {word}{near}")
    if given["what"] and formats:
        raise UserError("format is about models, and curves are a table: to=FILE.csv or to=FILE.parquet")
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


def read_plot(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain plot ARGUMENTS` gives the function `plot`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_plot([".", "fit", "run=3"])
    >>> given["kind"], given["run"], given["to"], given["options"]
    ('fit', '3', None, {})
    """
    about = PLOT_HELP + "".join(f"  {line}\n" for line in listed_kinds())
    parser = _Parser("packtrain plot", PLOT_USAGE, PLOT_OPTIONS, about, PLOT_EXAMPLES)
    parser.add_argument("kind", metavar="KIND", nargs="?", help="which picture")
    parser.add_argument("typed", metavar="OPTION=VALUE", nargs="*", help="options of that kind")
    parser.add_argument("--run", metavar="N", help="which run, by its index, or best")
    parser.add_argument("--to", metavar="FILE", help="where it is drawn (default: FOLDER/KIND.png)")
    given = parser.read(arguments)
    kind, words = given["kind"], given.pop("typed")
    if kind is not None and "=" in kind:
        raise UserError(f"expected {PLOT_USAGE}; got {kind} without a KIND before it")
    if strange := [word for word in words if "=" not in word]:
        raise UserError(f"expected {PLOT_USAGE}; got {strange[0]}")
    typed = {name: value for name, _, value in (word.partition("=") for word in words)}
    options = {} if kind is None else read_options(kind, typed)
    return given | {"options": options, "to": Path(given["to"]) if given["to"] else None}


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
