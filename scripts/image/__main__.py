"""The image of the Dockerfile: built, checked, and what it installs pinned. Needs docker, podman or buildah.

    python -m scripts.image build [--variant cpu|cuda] [--index URL] [--base IMAGE] [--tag NAME]
    python -m scripts.image check [--tag NAME]
    python -m scripts.image test      builds and checks one, and leaves nothing: with buildah, as root
    python -m scripts.image lock      resolves what is installed anew, after a change of constraints.txt

Where the registry of images isn't reached, buildah builds on a base that debootstrap makes.
"""

import argparse
import sys
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory

from scripts.image import lock
from scripts.image.build import Wanted, build
from scripts.image.check import check
from scripts.image.tool import TOOLS, tool_of

VARIANTS = "cpu", "cuda"


def main(words: list[str] | None = None) -> None:
    """Does what is asked. Raises SystemExit, with a sentence, where it can't be done."""
    asked = _arguments(words)
    wanted = Wanted(asked.variant, asked.base, asked.index, asked.tag)
    try:
        if asked.what == "lock":
            for variant in VARIANTS:
                lock.write(variant)
        elif asked.what == "test":
            with TemporaryDirectory() as folder:
                tool = tool_of("buildah", Path(folder))
                build(tool, wanted)
                check(tool, wanted.tag)
        elif asked.what == "build":
            build(tool_of(asked.tool, None), wanted)
        else:
            check(tool_of(asked.tool, None), wanted.tag)
    except CalledProcessError as error:
        sys.exit(f"{error}: {error.stderr or ''}")
    except (RuntimeError, ValueError) as error:
        sys.exit(str(error))


def _arguments(words: list[str] | None) -> argparse.Namespace:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        "python -m scripts.image", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("build", "check", "test", "lock"))
    parser.add_argument("--tool", choices=TOOLS, help="the first that works, if none is named")
    parser.add_argument("--variant", choices=VARIANTS, default="cpu")
    parser.add_argument("--index", default="", help="an index beside pip's own: that of PyTorch's CPU builds")
    parser.add_argument("--base", default="python:3.11-slim")
    parser.add_argument("--tag", default="packtrain")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
