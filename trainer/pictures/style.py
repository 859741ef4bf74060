"""What all pictures have in common: colours that everybody can tell apart, background, axes, and the file."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..folder.atomic import replace

DATA, CURVE, MUTED, FAULT = "#2f4b6e", "#d1495b", "#767676", "#b3261e"
NEW = "#3b6ea5"  # the band of new measurements
# Okabe and Ito's colours, with lines that differ in black and white too: of several curves in one panel.
SEVERAL = (
    ("#d1495b", "-"),
    ("#0072b2", (0, (5, 2))),
    ("#009e73", (0, (1.2, 1.6))),
    ("#e69f00", (0, (6, 2, 1.2, 2))),
    ("#cc79a7", (0, (3, 1.6))),
    ("#56b4e9", (0, (8, 2, 1, 2, 1, 2))),
)
PAPER = "#fdfdfb"  # the background: opaque, so that a picture reads on a dark page too
INK = "#444444"  # of axes
MARGIN = 0.08  # inches around each part
DPI = 120
COMPRESS = 3  # of 9: twice as fast as Pillow's own, for files that are a tenth larger
SUFFIXES = ".png", ".svg"


def can_draw() -> bool:
    """Whether matplotlib is installed, which is the extra `plot`.

    >>> can_draw()
    True
    """
    return find_spec("matplotlib") is not None


def new_figure(width: float, height: float) -> Any:
    """An empty figure of so many inches on paper, whose parts make room for each other.

    >>> new_figure(7, 5).get_size_inches().tolist()
    [7.0, 5.0]
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (an optional dependency, and slow)
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415 (likewise)

    room = ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN)
    return Figure(figsize=(width, height), layout=room, facecolor=PAPER)


def tidy(axes: Any) -> None:
    """Axes without a frame at the top and the right.

    >>> axes = new_figure(3, 3).subplots()
    >>> tidy(axes)
    >>> axes.spines["top"].get_visible()
    False
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(color=INK, labelsize=8.5)


def save(figure: Any, file: Path) -> None:
    """Writes the figure as PNG or SVG, by the file's suffix, whole or not at all.

    The same figure has the same bytes. Raises UserError for another suffix.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save(new_figure(1, 1), Path(folder) / "empty.svg")
    ...     [file.name for file in Path(folder).iterdir()]
    ['empty.svg']
    """
    from matplotlib import rc_context  # noqa: PLC0415 (an optional dependency, and slow)

    if file.suffix not in SUFFIXES:
        raise UserError(f"a picture is a file {' or '.join(SUFFIXES)}; got {file.name}")
    form = file.suffix.removeprefix(".")
    options = {"metadata": {"Date": None}} if form == "svg" else {"pil_kwargs": {"compress_level": COMPRESS}}
    with rc_context({"svg.hashsalt": "packtrain"}):
        replace(file, lambda draft: figure.savefig(draft, format=form, dpi=DPI, **options))
