"""The pictures of a training, which are drawn from its result."""

from pathlib import Path

from ..engines.least_squares import LeastSquaresEngine
from ..folder.result import Result
from ..session import Session
from .confidence import draw_confidence
from .confusion import draw_counts
from .curve import draw_curve
from .fit import draw_fit
from .groups import draw_groups
from .maps import draw_maps
from .measured import draw_measured
from .minima import draw_minima

TAGS = "fit", "fits", "maps", "minima", "confidence", "confusion", "measured"


def draw_pictures(session: Session, result: Result, folder: Path, alone: bool = True) -> dict[str, Path]:
    """Draws what there is to see of a session's result into `folder` -> the files by their tags.

    Of equations the fit of the best run, or of groups the page of some, and of a cube's maps; of several
    starts the minima; of a fit with intervals by profile the regions of confidence; of classes, in a training
    that is `alone`, the confusion; of numbers by an MLP what was measured against what it predicts.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.config.schema import *
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("levenberg_marquardt"), loop=LoopConfig(batch_size="full", steps=9),
    ... ))
    >>> while not session.done:
    ...     session.advance()
    >>> with TemporaryDirectory() as folder:
    ...     {tag: file.name for tag, file in draw_pictures(session, session.result(), Path(folder)).items()}
    {'fit': 'fit.png'}
    """
    files = {tag: folder / f"{tag}.png" for tag in TAGS}
    drawn = {
        "fit": result.data.segments is None
        and (draw_fit(result, files["fit"]) or draw_curve(result, files["fit"])),
        "fits": draw_groups(result, files["fits"]),
        "maps": draw_maps(result, files["maps"]),
        "minima": draw_minima(result, files["minima"]),
        "confidence": _draw_confidence(session, result, files["confidence"]),
        "measured": draw_measured(result, files["measured"]),
        "confusion": alone and draw_counts(result.summary, files["confusion"]),
    }
    return {tag: files[tag] for tag, is_there in drawn.items() if is_there}


def _draw_fit(result: Result, file: Path) -> bool:
    return result.data.segments is None and (draw_fit(result, file) or draw_curve(result, file))


def _draw_confidence(session: Session, result: Result, file: Path) -> bool:
    asked = session.pack.config.fit.intervals == "profile" and result.data.segments is None
    engine = session.engine
    return asked and isinstance(engine, LeastSquaresEngine) and draw_confidence(engine, result, file)
