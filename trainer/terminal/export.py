"""`packtrain export FOLDER`: one run's model in files that need no Packtrain to be read."""

import json
import math
from pathlib import Path

from safetensors.torch import save_file

from ...kernels.common.errors import UserError
from ...kernels.language import Graph
from ...kernels.language.expr import Expr, name, number, substitute
from ...kernels.language.latex import latex
from ...kernels.language.numpy_source import numpy_source
from ..console.fit import uncertain
from ..console.report import shown
from ..console.tables import new_console
from ..folder.atomic import replace
from ..folder.experiment import experiment_of
from ..folder.ranking import nested
from ..folder.stored import read_stored
from ..folder.trained import SCALES, Trained, load
from ..models.expression import ExpressionModel

Definitions = list[tuple[str, Expr]]


def export(folder: Path, run: str = "best", to: Path | None = None) -> None:
    """Writes the model of one `run` in `folder`, an index or 'best', into `to`, and prints what it wrote.

    Without `to` that is FOLDER/export/run-NNNN. Raises UserError.

    >>> export(Path("nowhere"), run="best", to=Path("mine"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    stored = read_stored(folder)
    line = stored.line(run)
    pack, index = stored.place(line)
    to = to or _inside(folder, f"export/run-{line['index']:04d}")
    to.mkdir(parents=True, exist_ok=True)
    trained = load(pack)
    texts = {"config.yaml": experiment_of(pack, index)}
    if isinstance(trained.model, ExpressionModel):
        texts |= _equations(trained, index, nested(line)["parameters"])
    replace(to / "model.safetensors", lambda file: _save_parameters(file, trained, index))
    for file, text in texts.items():
        replace(to / file, lambda draft, text=text: draft.write_text(text))
    console = new_console()
    console.print(texts.get("equations.txt", ""), highlight=False, markup=False, soft_wrap=True)
    console.print(f"{shown(to)}: {', '.join(['model.safetensors', *texts])}", highlight=False, soft_wrap=True)


def _inside(folder: Path, below: str) -> Path:
    """The folder `below` in `folder`. Raises UserError where a link leads out of it."""
    if not (folder / below).resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder / below} is a link to {(folder / below).resolve()}: say to=FOLDER")
    return folder / below


def _save_parameters(file: Path, trained: Trained, run: int) -> None:
    """Saves the run's parameters by name, without the axis of runs; and what it was standardized with."""
    tensors = {name: part[run].contiguous() for name, part in trained.parameters().items()}
    scales = zip(SCALES, (trained.mean, trained.std, trained.target_mean, trained.target_std), strict=True)
    tensors |= {name: scale for name, scale in scales if scale is not None}
    about = {"inputs": trained.inputs, "targets": trained.targets}
    save_file(tensors, file, {"packtrain": json.dumps(about)})


def _equations(trained: Trained, run: int, about: dict[str, dict]) -> dict[str, str]:
    """file -> its content, the fitted equations: as text, as LaTeX, and as a Python function."""
    assert isinstance(trained.model, ExpressionModel)
    graph = trained.model.graph
    values = {name: float(value) for name, value in trained.parameters(run).items()}
    if not all(map(math.isfinite, values.values())):
        raise UserError(f"run {run} has parameters that are not finite numbers, so it has no equations")
    equations = _with_raw_inputs(trained, graph)
    fitted = _put(equations, {name: number(value) for name, value in values.items()})
    parameters = [f"{name} = {uncertain(value, about[name])}" for name, value in values.items()]
    text = "\n".join([*_lines(equations), "", *parameters, "", *_lines(fitted)])
    return {
        "equations.txt": text + "\n",
        "equations.tex": f"\\begin{{align*}}\n{latex(fitted)}\n\\end{{align*}}\n",
        "equations.py": numpy_source(graph, equations, values),
    }


def _lines(equations: Definitions) -> list[str]:
    return [f"{variable} = {expression}" for variable, expression in equations]


def _put(equations: Definitions, leaves: dict[str, Expr]) -> Definitions:
    expressions = substitute([e for _, e in equations], leaves)
    return [(v, e) for (v, _), e in zip(equations, expressions, strict=True)]


def _with_raw_inputs(trained: Trained, graph: Graph) -> Definitions:
    """The graph's equations, of inputs that were not standardized."""
    if trained.mean is None or trained.std is None:
        return list(graph.definitions)
    scale = zip(trained.inputs, trained.mean.tolist(), trained.std.tolist(), strict=True)
    raw = {word: (name(word) - number(mean)) / number(std) for word, mean, std in scale}
    return _put(list(graph.definitions), raw)
