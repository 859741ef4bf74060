"""What to type next."""

import shlex
from pathlib import Path

from rich.console import Console

from ..folder.places import ALL_EVENTS
from .tables import print_plain


def next_steps(console: Console, **steps: str) -> None:
    """Prints where the results are, and what to type next: a line for each label and its text.

    >>> from packtrain.trainer.console.tables import new_console
    >>> next_steps(new_console(), results="out", watch="packtrain board out")
     results  out
       watch  packtrain board out
    """
    for label, text in steps.items():
        print_plain(console, f"{label:>8}  {text}")


def watch_steps(folder: Path, runs: int) -> dict[str, str]:
    """What to type for TensorBoard; where it opens with the best of many runs, how to see all of them, too.

    >>> watch_steps(Path("out"), runs=3)
    {'watch': 'packtrain board out'}
    """
    command = f"packtrain board {shlex.quote(str(folder))}"
    if not (folder / ALL_EVENTS).is_dir():
        return {"watch": command}
    return {
        "watch": f"{command}  # curves of the best, and a summary of all",
        "all": f"{command} all=true  # all {runs:,} runs, and HParams' table of them",
    }


def shown(folder: Path) -> Path:
    """`folder` as one types it here: relative to the working directory, where it is below that.

    >>> print(shown(Path.cwd() / "outputs" / "primer"), shown(Path("/elsewhere")))
    outputs/primer /elsewhere
    """
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
