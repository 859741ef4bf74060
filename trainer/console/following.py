"""What all ranks of a training do but the first: what that says."""

import os
import sys

from ..config.pack import Pack
from ..data.digest import digest
from ..engines.devices import make_compute
from ..engines.member import Member
from ..engines.prepare import load_data, whole
from ..loop.stop import Signals
from ..ranks import crew
from ..ranks.group import Ranks


class Following:
    """The hand of such a rank: it prepares one training after another, and is its Member.

    A rank is `busy` that has a training, of which the first will say something soon.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.member: Member | None = None

    @property
    def busy(self) -> bool:
        return self.member is not None

    def begin(self, pack: Pack, folder: str) -> tuple[str, str]:
        """Prepares a training in a working directory -> its data's digest, and the kind of this device."""
        os.chdir(folder)
        compute = make_compute(pack.config.compute)
        pack, data = whole(pack, load_data(pack))
        self.member = Member(pack, data.to(compute.device, compute.dtype), compute, self.ranks)
        return digest(data), compute.device.type

    def done(self) -> None:
        """Lets go of the training."""
        self.member = None

    def __getattr__(self, verb: str) -> object:
        return getattr(self.member, verb)


def follow(ranks: Ranks) -> None:
    """Does what the first rank says, until that lets go. Raises RankLostError where it can't go on."""
    with Signals() as signals:
        crew.follow(Following(ranks), lambda: signals.received)


def follow_to_the_end(ranks: Ranks) -> None:
    """As follow, and ends the process with the exit code 1 where it can't go on, and says why."""
    try:
        follow(ranks)
    except crew.RankLostError as error:
        if not isinstance(error, crew.RankGoneError):  # else the first rank says, or is no more
            print(f"packtrain: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # which the others see
