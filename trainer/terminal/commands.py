"""The commands that have a word of their own: `packtrain WORD ...`; what they need is imported then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Command:
    """What reads the arguments of a command, and what does it with them, each as module:function.

    `quick` is one that starts without Hydra, since it trains nothing here.
    """

    reader: str
    function: str
    quick: bool = False

    def __call__(self, arguments: Sequence[str]) -> None:
        """Does what was typed after the command's word. Raises UserError."""
        given: dict[str, Any] = _named(self.reader)(arguments)
        _named(self.function)(**given)


COMMANDS = {
    "show": Command("arguments:read_show", "show:show"),
    "export": Command("arguments:read_export", "export:export_files"),
    "predict": Command("arguments:read_predict", "predict:predict"),
    "plot": Command("arguments:read_plot", "plot:plot"),
    "explain": Command("explain_words:read_explain", "explain:explain"),
    "shuffle": Command("shuffle:read_shuffle", "shuffle:shuffle"),
    "board": Command("arguments:read_board", "board:board"),
    "submit": Command("service_words:read_submit", "submit:submit", quick=True),
    "jobs": Command("service_words:read_jobs", "jobs:jobs", quick=True),
    "cancel": Command("service_words:read_cancel", "jobs:cancel", quick=True),
    "serve": Command("serve_words:read_serve", "serve:serve", quick=True),
    "work": Command("serve_words:read_work", "work:work", quick=True),
    "fetch": Command("service_words:read_fetch", "jobs:fetch", quick=True),
}
SHOW_JOB = Command("service_words:read_job", "jobs:show_job", quick=True)


def command_of(arguments: Sequence[str]) -> Command | None:
    """The command that was typed; None where its first word is none of these.

    `show` is about a job where a number is typed that is no folder.

    >>> command_of(["show", "outputs"]) == COMMANDS["show"], command_of(["show", "17"]) == SHOW_JOB
    (True, True)
    >>> command_of(["seed=3"])
    """
    word, *others = [*arguments[:2], ""]
    if word == "show" and others[0].isdecimal() and not Path(others[0]).is_dir():
        return SHOW_JOB
    return COMMANDS.get(word)


def _named(name: str) -> Callable[..., Any]:
    """The function of a module beside this one."""
    module, _, function = name.partition(":")
    return getattr(import_module(f".{module}", __package__), function)
