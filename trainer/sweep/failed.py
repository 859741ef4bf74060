"""How a job of a sweep says that its pack has failed."""


class PackFailed(Exception):
    """A job of a sweep has no run worth keeping, and why: the sweep goes on, and exits with 1."""


class PackBroke(PackFailed):
    """Likewise, by what may be no fault of the pack's, as a broken device."""


class JobLost(PackFailed):
    """A job's process or machine ended without results, and nobody meant it to: another may go on."""
