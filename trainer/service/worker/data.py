"""Data that stay loaded, as long as their file is the same and there is room."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from ...config.data_values import read_columns
from ...config.pack import Pack
from ...config.schema import all_fields
from ...data.dataset import Data, Dataset
from ...data.discretion import discreet, kept_back
from ...engines.prepare import load_data
from ..data_folder import matching, within

MOST_BYTES = 2 << 30
Identity = tuple[tuple[int, int, int], ...] | None


class Loaded:
    """Data by what they depend on, `most` bytes of them; the ones that weren't used for longest go first.

    Files are read from `folder` and below alone.
    """

    def __init__(
        self, folder: Path, most: int = MOST_BYTES, load: Callable[[Pack], Data] = load_data
    ) -> None:
        self.folder, self.most, self.load = folder.resolve(), most, load
        self.known: OrderedDict[str, tuple[Identity, Data]] = OrderedDict()

    def of(self, pack: Pack) -> Data:
        """The data of a pack. Raises UserError for what can't be read, or lies elsewhere."""
        identity, key = self.identity(pack), _key(pack)
        if key in self.known and self.known[key][0] == identity:
            self.known.move_to_end(key)
            return self.known[key][1]
        data = self._read(pack)
        self.known[key] = identity, data
        self.known.move_to_end(key)
        while len(self.known) > 1 and sum(map(_bytes, self._held())) > self.most:
            self.known.popitem(last=False)
        return data

    def _read(self, pack: Pack) -> Data:
        """Its data, of which sentences tell no cell, and of files in the folder alone."""
        with discreet(within(self.folder)):
            try:
                return self.load(pack)
            except Exception as error:
                raise kept_back(error) from None

    def _held(self) -> list[Data]:
        return [data for _, data in self.known.values()]

    def identity(self, pack: Pack) -> Identity:
        """What tells its files from others that take their names. Raises UserError for one elsewhere."""
        path = pack.config.data.path
        if path is None:
            return None
        found = [file.stat() for file in matching(self.folder, path)]
        return tuple((about.st_mtime_ns, about.st_size, about.st_ino) for about in found)


def _key(pack: Pack) -> str:
    """What the data depend on: all of the config's data, model and compute that runs of a pack share."""
    config = pack.config
    own = {"data": asdict(config.data), "model": asdict(config.model), "compute": asdict(config.compute)}
    for path, meta in all_fields():
        group, _, name = path.partition(".")
        if meta.get("per_run") and group in own:
            own[group].pop(name, None)
    shared: Any = [own, sorted(read_columns(config.model, pack.over))]
    return hashlib.sha256(json.dumps(shared, sort_keys=True, default=str).encode()).hexdigest()


def _bytes(data: Data) -> int:
    return sum(map(_of_dataset, (data.train, data.validation, data.test)))


def _of_dataset(data: Dataset | None) -> int:
    tensors = [part for part in vars(data).values() if isinstance(part, Tensor)] if data else []
    return sum(tensor.nbytes for tensor in tensors)
