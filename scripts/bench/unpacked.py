"""A service whose worker takes one job at a time: the peer that bench_service measures packs against.

python -m scripts.bench.unpacked FOLDER
"""

import sys
from pathlib import Path

from packtrain.trainer.service.server import Server, Settings

WORKER = sys.executable, "-m", "scripts.bench.unpacked", "worker"


def work() -> int:
    """The worker's process: it has room where it holds nothing."""
    # torch takes seconds, and the server doesn't wait for it
    from packtrain.trainer.service.worker import main  # noqa: PLC0415 (see above)
    from packtrain.trainer.service.worker.growth import Growth  # noqa: PLC0415 (likewise)

    Growth.room = lambda self, held: 0 if held else 1
    return main.main()


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        sys.exit(work())
    sys.exit(Server(Settings(Path(sys.argv[1]), port=0, worker=WORKER)).run())
