"""Makes the pictures of the documentation: python -m scripts.pictures [NAME ...], without names all."""

import shlex
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.common import commands, record
from scripts.pictures import growth
from scripts.pictures.files import file_of, shrink
from scripts.pictures.screenshots import SCREENSHOTS, take_all


@dataclass(frozen=True)
class Picture:
    """A picture of a training: what is typed after `packtrain`, and after `packtrain plot FOLDER`."""

    training: str
    plot: str


DOSE = "fit docs/data/dose.csv 'response = low + (high - low)/(1 + (ec50/dose)^h)' intervals=profile"
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
RECORDED = {"growth": growth.draw}  # what a benchmark has recorded
NAMES = [*PICTURES, *RECORDED, *SCREENSHOTS]


def main(names: Sequence[str]) -> None:
    """Makes the pictures of these names."""
    draw_all([name for name in names if name in PICTURES])
    for name in (name for name in names if name in RECORDED):
        RECORDED[name](file_of(name))
        shrink(name)
    take_all([name for name in names if name in SCREENSHOTS])


def draw_all(names: Sequence[str]) -> None:
    """Draws the pictures of these names, each training once."""
    trainings = dict.fromkeys(PICTURES[name].training for name in names)
    with TemporaryDirectory() as folder:
        for place, training in enumerate(trainings):
            of_training = Path(folder) / str(place)
            commands.run(record.ROOT, "-m", "packtrain", *_words(training, of_training))
            for name in (name for name in names if PICTURES[name].training == training):
                plot = shlex.split(PICTURES[name].plot)
                to = f"to={file_of(name)}"
                commands.run(record.ROOT, "-m", "packtrain", "plot", str(of_training), *plot, to)
                shrink(name)


def _words(training: str, folder: Path) -> Iterator[str]:
    """What is typed, so that the results are in the folder."""
    words = shlex.split(training)
    yield from words
    yield f"hydra.sweep.dir={folder}" if "-m" in words else f"hydra.run.dir={folder}"
    yield from ("monitor.tensorboard=false", "monitor.progress=false", "monitor.pictures=false")


if __name__ == "__main__":
    parser = ArgumentParser("python -m scripts.pictures", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*NAMES, []], help="which pictures")
    main(parser.parse_args().names or NAMES)
