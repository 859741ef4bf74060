"""The command as one of several ranks, or as what starts them: compute.devices=N, torchrun."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from ...kernels.common.errors import UserError
from ..ranks import agent

FIELD = "compute.devices"
AUTO = "auto"
LAUNCHER, BASIC = "hydra/launcher", "basic"
AGAIN = "torchrun starts all ranks again, which go on from the newest checkpoint"


def devices_in(arguments: Sequence[str]) -> str | None:
    """What a command line says of compute.devices, last; None for nothing.

    >>> devices_in(["seed=3", "compute.devices=2"])
    '2'
    """
    return _said(FIELD, arguments)


def _said(field: str, arguments: Sequence[str]) -> str | None:
    values = [word.partition("=")[2] for word in arguments if word.lstrip("+").partition("=")[0] == field]
    return values[-1].strip("'\"") if values else None


def launched(arguments: Sequence[str]) -> int | None:
    """The exit code of the ranks that compute.devices asks for; None where this process trains by itself.

    Raises UserError.
    """
    given = devices_in(arguments)
    if given is None or given == "1" or agent.size() > 1:
        return None
    if given != AUTO and not (given.isdecimal() and int(given) > 0):
        raise UserError(f"{FIELD} is auto, or the number of processes, 1 or more; got {given!r}")
    if (launcher := _said(LAUNCHER, arguments) or BASIC) != BASIC:
        raise UserError(
            f"{FIELD}={given} is for packs that a command trains, and with {LAUNCHER}={launcher} others do, "
            "each on one device: leave one of the two out"
        )
    from ..ranks.launch import devices_here, launch, most_here  # noqa: PLC0415 (torch takes seconds to import)

    ranks = devices_here() if given == AUTO else int(given)
    if ranks > (most := most_here()):
        raise UserError(f"{FIELD} is at most {most} on this machine, for its cores and GPUs; got {ranks}")
    return launch(ranks, arguments) if ranks > 1 else None


def as_rank(work: Callable[[], object]) -> NoReturn:
    """Joins the ranks of torchrun. The first does the `work`, in which the others do what it asks.

    Raises SystemExit with the code of the first.
    """
    if (
        code := agent.ended()
    ) is not None:  # torchrun starts again whatever has ended with another code than 0
        sys.exit(code)
    # torch takes seconds to import
    from ..ranks.join import join, part  # noqa: PLC0415 (see above)
    from ..ranks.mail import RankLostError  # noqa: PLC0415 (see above)

    try:
        crew = join()
    except UserError as error:
        end_without(error)
    if not crew.ranks.first:
        from ..console.following import follow_to_the_end  # noqa: PLC0415 (as above)

        follow_to_the_end(crew.ranks)
        part()
        sys.exit(0)
    code = 0
    try:
        work()
    except RankLostError as error:
        end_without(error)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # a mistake of ours: it would come again
        traceback.print_exc()
        code = 1
    with suppress(RankLostError):  # all is written
        crew.leave()
        part()
    sys.exit(agent.end_with(code))


def end_without(error: BaseException) -> NoReturn:
    """Ends this rank at once, with the exit code 1, where others are gone: torchrun starts all again."""
    print(f"packtrain: {error}; {AGAIN}", file=sys.stderr, flush=True)
    os._exit(1)
