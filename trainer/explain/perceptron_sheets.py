"""What a person reads of an explained MLP, in the order in which it is computed."""

from collections.abc import Iterator

from ...kernels.language.explain_sheets import apart, number
from ...kernels.language.sheet import Sheet
from .perceptron import Layer, LayerBack, Perceptron
from .units import FLAT, SATURATED, Units

LISTED = 12  # units


def perceptron_sheets(about: Perceptron) -> list[Sheet]:
    """The layers, forward, the loss, the three steps backward, and the units.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> from packtrain.trainer.explain.perceptron import perceptron
    >>> about = perceptron(case_of_config(["experiment=gaussians", "model.widths=[2,3,2]"]), 0)
    >>> [sheet.title.partition(":")[0] for sheet in perceptron_sheets(about)]
    ['The layers', 'Forward', 'The loss of this sample', 'Backward', 'Units over all samples']
    """
    units = [_units(about)] if about.units else []
    return [_layers(about), _forward(about), _loss(about), _backward(about), *units]


def _layers(about: Perceptron) -> Sheet:
    lines = [
        (str(layer.number), str(layer.weight), "" if layer.bias is None else str(layer.bias))
        for layer in about.forward
    ]
    title = f"The layers: {' -> '.join(f'{width:,}' for width in about.widths)} numbers"
    return Sheet(title, ("layer", "weights W, a row a unit", "biases b"), tuple(lines))


def _forward(about: Perceptron) -> Sheet:
    lines = [(str(layer.number), *_of_layer(layer)) for layer in about.forward]
    labels = "layer", "takes x", "h = W x + b", "a = f(h)", "units that are off"
    activation = (f"the activation is f(z) = {about.activation}, its slope f'(z) = {about.slope}",)
    note = ("x is quantized to whole numbers from 0 to 255 where a * stands",)
    notes = note if any(layer.quantized for layer in about.forward) else ()
    return Sheet(
        "Forward: from layer to layer",
        labels,
        tuple(lines),
        activation if len(about.forward) > 1 else (),
        notes,
    )


def _of_layer(layer: Layer) -> tuple[str, str, str, str]:
    """The cells of a layer forward."""
    star = "* " if layer.quantized else ""
    off = "" if layer.off is None else f"{layer.off:,} of {layer.h.shape[0]:,}"
    return f"{star}{layer.x}", str(layer.h), "(output)" if layer.a is None else str(layer.a), off


def _loss(about: Perceptron) -> Sheet:
    """Outputs, targets and the error."""
    if len(about.targets) == len(about.outputs):
        targets = [number(target) for target in about.targets]
    else:
        targets = ["the class" if k == int(about.targets[0]) else "" for k in range(len(about.outputs))]
    rows = zip(about.names, about.outputs, targets, about.error, strict=True)
    lines = tuple((name, number(y), target, number(slope)) for name, y, target, slope in rows)
    labels = "output", ">y, its value", ">t, its target", ">dL/dy, the error"
    title = f"The loss of this sample: L = {number(about.loss)} ({about.loss_name})"
    return Sheet(title, labels, lines)


def _backward(about: Perceptron) -> Sheet:
    lines = tuple(line for layer in about.backward for line in _steps(layer))
    labels = "layer", "step", "computes", "numbers", ">apart from training's"
    return Sheet("Backward: three steps a layer, from the loss back", labels, lines)


def _steps(layer: LayerBack) -> Iterator[tuple[str, str, str, str, str]]:
    n, before = layer.number, layer.number - 1
    yield str(n), "error", f"error_{n} = dL/dh_{n}", str(layer.error), ""
    yield "", "1. its gradient", f"dL/dW_{n} = error_{n}^T x_{n}", str(layer.weight), apart(layer.apart)
    if layer.bias is not None:
        yield "", "", f"dL/db_{n} = error_{n}", str(layer.bias), ""
    if layer.to_before is not None:
        yield "", "2. through the weights", f"dL/da_{before} = error_{n} W_{n}", str(layer.to_before), ""
        yield "", "3. through the activation", f"f'(h_{before})", str(layer.slope_before), ""
        product = f"error_{before} = dL/da_{before} * f'(h_{before})"
        yield "", "", product, str(layer.error_before), ""


def _units(about: Perceptron) -> Sheet:
    lines = [
        (
            str(layer.layer),
            f"{layer.units:,}",
            _listed(layer.dead),
            _listed(layer.saturated),
            f"{100 * layer.off:.1f} %",
            number(layer.slope, 3),
        )
        for layer in about.units
    ]
    labels = "layer", ">units", "dead", "saturated", ">slope 0", ">mean |slope|"
    notes = (
        "dead: the slope f'(h) is 0 at every sample, so the unit never learns; saturated: below "
        f"{FLAT:g} at {SATURATED:.0%} of the samples or more",
    )
    return Sheet(_title(about.units), labels, tuple(lines), (), notes)


def _title(units: tuple[Units, ...]) -> str:
    dead, flat = sum(len(layer.dead) for layer in units), sum(len(layer.saturated) for layer in units)
    return f"Units over all samples: {dead:,} dead, {flat:,} saturated"


def _listed(places: tuple[int, ...]) -> str:
    """How many, and the first of them."""
    if not places:
        return "0"
    more = ", ..." if len(places) > LISTED else ""
    return f"{len(places):,}: {', '.join(map(str, places[:LISTED]))}{more}"
