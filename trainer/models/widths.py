"""model.widths: the hidden layers of an MLP, or all of its layers -> all of them."""

from collections.abc import Sequence
from dataclasses import replace

from ...kernels.common.errors import UserError
from ..config.pack import Pack
from ..data.dataset import Dataset


def whole_widths(given: Sequence[int] | None, inputs: int, outputs: int) -> list[int]:
    """[inputs, hidden..., outputs] of a list that is that already, or of the hidden layers alone.

    A list that begins with the number of inputs and ends with that of outputs is the whole one. Any other
    lists the hidden layers, none of them too. Raises UserError for one that ends with the number of outputs
    and begins with another than that of inputs: it is likely to be a whole list for other data.

    >>> whole_widths([64, 32], inputs=4, outputs=3), whole_widths([], inputs=4, outputs=3)
    ([4, 64, 32, 3], [4, 3])
    >>> whole_widths([4, 64, 3], inputs=4, outputs=3)
    [4, 64, 3]
    """
    if given is None or min(given, default=1) < 1:
        raise UserError(
            "model.widths lists the hidden layers, such as [64, 32], or all: [inputs, hidden..., outputs], "
            f"here [{inputs}, 64, 32, {outputs}]; got {given and list(given)}"
        )
    if len(given) > 1 and given[-1] == outputs:
        if given[0] == inputs:
            return list(given)
        raise UserError(
            f"model.widths={list(given)} ends with the number of outputs, and begins with {given[0]} where "
            f"the data have {inputs} inputs: say {[inputs, *given[1:]]}, or, if these are hidden layers, "
            f"{[inputs, *given, outputs]}"
        )
    return [inputs, *given, outputs]


def last_of(given: Sequence[int] | None) -> int | None:
    """The number of outputs, if `given` lists all layers; None where it is too short to.

    >>> last_of([4, 64, 3]), last_of([64])
    (3, None)
    """
    return given[-1] if given and len(given) > 1 else None


def with_widths(pack: Pack, data: Dataset) -> Pack:
    """The pack, whose model.widths are those of all layers of an MLP that is trained on `data`.

    Raises UserError.

    >>> import torch
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> data = Dataset(torch.ones(9, 2), torch.ones(9, 1), ("p", "q"), ("y",))
    >>> pack = Pack(Config(model=ModelConfig("mlp", widths=[10])), {}, 1)
    >>> with_widths(pack, data).config.model.widths
    [2, 10, 1]
    """
    model = pack.config.model
    if model.kind != "mlp":
        return pack
    widths = whole_widths(model.widths, len(data.input_names), len(data.target_names))
    return replace(pack, config=replace(pack.config, model=replace(model, widths=widths)))


def hidden_note(given: Sequence[int] | None, data: Dataset) -> tuple[str, ...]:
    """What was taken for the layers where `given` are the hidden ones, a sentence; () where all were given.

    >>> import torch
    >>> data = Dataset(torch.ones(9, 2), torch.ones(9, 1), ("p", "q"), ("y",))
    >>> hidden_note([10], data)
    ('model.widths=[10] are the hidden layers: with the inputs and outputs of the data [2, 10, 1]',)
    """
    whole = whole_widths(given, len(data.input_names), len(data.target_names))
    if given == whole:
        return ()
    return (f"model.widths={given} are the hidden layers: with the inputs and outputs of the data {whole}",)
