"""The chain rule with numbers, over the edges of a graph: what each vertex is worth, and its paths.

`edges` are vertex -> what it is computed of -> its partial derivative, each vertex before those that it is
computed of; the loss stands first. A factor that is exactly 0 wins over one that is infinite, as in `finite`.
The number of paths may be exponential: none of these functions follows them all.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest

LOSS = "L"
Edges = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Path:
    """A chain of partial derivatives from the loss to a parameter, and its `value`, the product.

    `vertices` begin with an output and end with the parameter; the first of the `factors` is dL/d output, the
    last one d vertex/d parameter.
    """

    vertices: tuple[str, ...]
    factors: tuple[float, ...]
    value: float


def product(left: float, right: float) -> float:
    """left*right, and 0 where a factor is exactly 0, even if the other is infinite or NaN.

    >>> import math
    >>> from packtrain.kernels.language.chain import product
    >>> product(0.0, math.inf), product(2.0, 3.0)
    (0.0, 6.0)
    """
    return 0.0 if left == 0 or right == 0 else left * right


def slopes_down(edges: Edges) -> dict[str, float]:
    """dL/d vertex of every vertex and parameter that the loss depends on: the sum over all paths.

    >>> from packtrain.kernels.language.chain import slopes_down
    >>> slopes_down({"L": {"y": 2.0}, "y": {"u": 3.0, "a": 5.0}, "u": {"a": 7.0}})
    {'L': 1.0, 'y': 2.0, 'u': 6.0, 'a': 52.0}
    """
    slopes = {LOSS: 1.0}
    for user, partials in edges.items():
        if user in slopes:
            for word, partial in partials.items():
                term = product(slopes[user], partial)
                slopes[word] = slopes[word] + term if word in slopes else term
    return slopes


def slope_up(edges: Edges, parameter: str) -> float:
    """dL/d parameter, from the parameter up: finite where paths cancel before they meet an infinite partial.

    >>> import math
    >>> from packtrain.kernels.language.chain import slope_up, slopes_down
    >>> edges = {"L": {"y": math.inf}, "y": {"u": 1.0, "v": -1.0}, "u": {"a": 1.0}, "v": {"a": 1.0}}
    >>> slopes_down(edges)["a"], slope_up(edges, "a")
    (nan, 0.0)
    """
    slopes = {parameter: 1.0}
    for user, partials in reversed(list(edges.items())):
        terms = [product(partial, slopes[word]) for word, partial in partials.items() if word in slopes]
        if terms:
            slopes[user] = sum(terms)
    return slopes.get(LOSS, 0.0)


def count_paths(edges: Edges) -> dict[str, int]:
    """How many paths lead from the loss to each vertex and parameter.

    >>> from packtrain.kernels.language.chain import count_paths
    >>> count_paths({"L": {"y": 2.0}, "y": {"u": 3.0, "a": 5.0}, "u": {"a": 7.0}})
    {'L': 1, 'y': 1, 'u': 1, 'a': 2}
    """
    counts = {LOSS: 1}
    for user, partials in edges.items():
        for word in partials if user in counts else ():
            counts[word] = counts.get(word, 0) + counts[user]
    return counts


def largest_paths(edges: Edges, wanted: Sequence[str], most: int) -> dict[str, list[Path]]:
    """The `most` paths to each of the `wanted` with the largest absolute products, the largest first.

    One pass from the loss on keeps the largest ways to each vertex. NaN counts as infinite.

    >>> from packtrain.kernels.language.chain import largest_paths
    >>> edges = {"L": {"y": 2.0}, "y": {"u": 3.0, "a": -50.0}, "u": {"a": 7.0}}
    >>> [(path.vertices, path.value) for path in largest_paths(edges, ["a"], most=8)["a"]]
    [(('y', 'a'), -100.0), (('y', 'u', 'a'), 42.0)]
    """
    ways: dict[str, list[_Way]] = {LOSS: [_Way(LOSS, 1.0, 0.0, None)]}
    for user, partials in edges.items():
        before = ways[user] = nlargest(most, ways.get(user, []), key=lambda way: way.size)
        for word, partial in partials.items():
            further = (_Way(word, partial, _plus(way.size, _size(partial)), way) for way in before)
            ways.setdefault(word, []).extend(further)
    largest = {word: nlargest(most, ways.get(word, []), key=lambda way: way.size) for word in wanted}
    return {word: [way.path for way in some] for word, some in largest.items()}


@dataclass(frozen=True, slots=True)
class _Way:
    """A way from the loss to `word` by one more `factor`; `size` is the logarithm of its absolute product."""

    word: str
    factor: float
    size: float
    before: "_Way | None"

    @property
    def path(self) -> Path:
        """The way without the loss itself."""
        steps = list(self._back())[::-1]
        vertices, factors = zip(*((way.word, way.factor) for way in steps), strict=True)
        return Path(vertices, factors, _product(factors))

    def _back(self) -> Iterator["_Way"]:
        way = self
        while way.before is not None:
            yield way
            way = way.before


def _product(factors: Sequence[float]) -> float:
    return 0.0 if 0.0 in factors else math.prod(factors)


def _size(factor: float) -> float:
    """The logarithm of |factor|."""
    if math.isnan(factor):
        return math.inf
    return -math.inf if factor == 0 else math.log(abs(factor))


def _plus(left: float, right: float) -> float:
    """The sum of two logarithms, in which that of 0 wins."""
    return -math.inf if -math.inf in (left, right) else left + right
