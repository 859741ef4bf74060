"""python -m packtrain.trainer.service.worker."""

import os
import sys

# Torch's threads wait for one another by spinning: for long, where other programs hold the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from .main import main

if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # threads that wait for the server are left alone
