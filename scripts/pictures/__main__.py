"""Makes the pictures of the documentation: python -m scripts.pictures [NAME ...], without names all."""

import shlex
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from scripts.common import commands, record

PAGES = record.ROOT / "docs" / "pictures"
COLOURS = 256  # a picture of so many takes a third of the bytes, and looks alike


@dataclass(frozen=True)
class Picture:
    """A picture of a training: what is typed after `packtrain`, and after `packtrain plot FOLDER`."""

    training: str
    plot: str


DOSE = """experiment=fit 'model.expressions=["response = low + (high - low)/(1 + (ec50/dose)^h)"]'
    'model.initial={low: 0, high: 100, ec50: 5, h: 1}' data.path=docs/data/dose.csv fit.intervals=profile"""
COMPOUNDS = "fit docs/data/compounds.csv 'response = low + (high - low)/(1 + (ec50/dose)^h)' group=compound"
DIGITS = "-m experiment=digits optimizer.lr=3e-4,1e-3,3e-3,1e-2,3e-2 'seed=range(0,16)'"
DESCENTS = "-m 'experiment=glob(descent/*)'"
SINE = """-m ~experiment name=sine 'model.expressions=["xy = sin(w*xa)"]' model.initial_range=[0,20]
    data.truth.w=7 data.range=[0,3] data.size=1024 optimizer=sgd loop.steps=5000
    loop.batch_size=1,4,16,64,256,full optimizer.lr=0.001,0.01,0.1,1 'seed=range(0,48)'"""
GAUSSIANS = "experiment=gaussians 'pack.over={seed: \"range(0,8)\"}'"

PICTURES = {
    "fit": Picture(DOSE, "fit"),
    "confidence": Picture(DOSE, "confidence"),
    "fits": Picture(COMPOUNDS, "fits"),
    "sweep": Picture(DIGITS, "sweep"),
    "graph": Picture("experiment=primer", "graph"),
    "loss": Picture("experiment=digits", "loss"),
    "surface": Picture(DESCENTS, "surface"),
    "surface_batch": Picture(DESCENTS, "surface batch=4"),
    "sine": Picture(SINE, "sweep"),
    "boundary": Picture(GAUSSIANS, "boundary"),
}


def main(names: Sequence[str]) -> None:
    """Makes the pictures of these names, each training once."""
    trainings = dict.fromkeys(PICTURES[name].training for name in names)
    with TemporaryDirectory() as folder:
        for place, training in enumerate(trainings):
            of_training = Path(folder) / str(place)
            commands.run(record.ROOT, "-m", "packtrain", *_words(training, of_training))
            for name in (name for name in names if PICTURES[name].training == training):
                file = PAGES / f"{name}.png"
                plot = shlex.split(PICTURES[name].plot)
                commands.run(record.ROOT, "-m", "packtrain", "plot", str(of_training), *plot, f"to={file}")
                shrink(file)
                print(file.relative_to(record.ROOT), f"{file.stat().st_size:,} bytes")


def _words(training: str, folder: Path) -> Iterator[str]:
    """What is typed, so that the results are in the folder."""
    words = shlex.split(training)
    yield from words
    yield f"hydra.sweep.dir={folder}" if "-m" in words else f"hydra.run.dir={folder}"
    yield from ("monitor.tensorboard=false", "monitor.progress=false", "monitor.pictures=false")


def shrink(file: Path) -> None:
    """Writes a PNG again in so many colours, with those that it has most of."""
    with Image.open(file) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    parser = ArgumentParser("python -m scripts.pictures", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*PICTURES, []], help="which pictures")
    main(parser.parse_args().names or list(PICTURES))
