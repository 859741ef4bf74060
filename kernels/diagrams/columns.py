"""Which column each vertex of a diagram stands in, and in which order: layers, crossings, barycentres.

Sugiyama's way: edges lead to a later column each, an edge over several columns passes those between at places
of its own, and the order within the columns is improved until few edges cross.
"""

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Place = str | tuple[str, int]  # a vertex, or where the edges from one pass a column
Link = tuple[Place, Place]
SWEEPS = 16
MOST_SWAPS = 400  # places up to which neighbours are exchanged one by one


@dataclass(frozen=True)
class Columns:
    """Places by column, from above, and the links between neighbouring columns.

    The edges that leave a vertex share their way as long as they can.
    """

    columns: tuple[tuple[Place, ...], ...]
    links: tuple[Link, ...]

    def by_end(self) -> dict[Place, list[Place]]:
        """place -> where links to it begin, from above."""
        return self._neighbours((end, start) for start, end in self.links)

    def by_start(self) -> dict[Place, list[Place]]:
        """place -> where links from it end, from above."""
        return self._neighbours(self.links)

    def _neighbours(self, links: Iterable[Link]) -> dict[Place, list[Place]]:
        rank = {place: i for column in self.columns for i, place in enumerate(column)}
        result: dict[Place, list[Place]] = defaultdict(list)
        for one, other in links:
            result[one].append(other)
        return {place: sorted(others, key=rank.__getitem__) for place, others in result.items()}


def levels(vertices: Sequence[str], edges: Iterable[tuple[str, str]], most: int) -> dict[str, int]:
    """vertex -> its column: each after those that lead to it, at most so many in one.

    What nothing leads to stands as far to the right as it can. The vertices come in topological order.

    >>> levels(["a", "d", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")], 5)
    {'a': 0, 'd': 1, 'b': 1, 'c': 2}
    """
    starts, ends = _both_ways(edges)
    result: dict[str, int] = {}
    count: Counter[int] = Counter()
    for vertex in vertices:
        if vertex in starts:
            level = 1 + max((result[start] for start in starts[vertex] if start in result), default=0)
            while count[level] >= most:
                level += 1
            result[vertex] = level
            count[level] += 1
    for vertex in vertices:
        if vertex not in starts:
            level = min((result[end] for end in ends[vertex]), default=1) - 1
            while count[level] >= most:
                level -= 1
            result[vertex] = level
            count[level] += 1
    first = min(result.values(), default=0)
    return {vertex: result[vertex] - first for vertex in vertices}


def columns_of(level: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> Columns:
    """The columns in any order, with a place where edges pass one.

    >>> columns_of({"a": 0, "b": 1, "c": 2}, [("a", "b"), ("b", "c"), ("a", "c")]).columns
    (('a',), ('b', ('a', 1)), ('c',))
    """
    columns: list[list[Place]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for vertex, column in level.items():
        columns[column].append(vertex)
    furthest: dict[str, int] = {}
    for start, end in edges:
        furthest[start] = max(furthest.get(start, 0), level[end])
    links: list[Link] = []
    for start, last in furthest.items():
        passed = [(start, column) for column in range(level[start] + 1, last)]
        for place in passed:
            columns[place[1]].append(place)
        links += pairwise([start, *passed])
    for start, end in edges:
        is_next = level[end] == level[start] + 1
        links.append((start if is_next else (start, level[end] - 1), end))
    return Columns(tuple(map(tuple, columns)), tuple(links))


def ordered(columns: Columns) -> Columns:
    """The same with few crossings: each place at the mean of its neighbours, column after column and back.

    >>> two = Columns((("a", "b"), ("c", "d")), (("a", "d"), ("b", "c")))
    >>> crossings(two), crossings(ordered(two))
    (1, 0)
    """
    best, least = columns, crossings(columns)
    tried = columns
    for sweep in range(SWEEPS):
        if least == 0:
            break
        tried = _swept(tried, backwards=sweep % 2 == 1)
        if sum(map(len, tried.columns)) <= MOST_SWAPS:
            tried = _swapped(tried)
        if (count := crossings(tried)) < least:
            best, least = tried, count
    return best


def crossings(columns: Columns) -> int:
    """How many pairs of links cross.

    >>> crossings(Columns((("a", "b"), ("c", "d")), (("a", "d"), ("b", "c"), ("a", "c"))))
    1
    """
    rank = {place: (c, i) for c, column in enumerate(columns.columns) for i, place in enumerate(column)}
    total, before, column = 0, [], -1
    for (c, _), end in sorted((rank[start], rank[end][1]) for start, end in columns.links):
        if c != column:
            before, column = [], c
        total += len(before) - bisect_right(before, end)
        insort(before, end)
    return total


def _swept(columns: Columns, backwards: bool) -> Columns:
    """Each column in the order of the means of the neighbours in the one before, or after."""
    neighbours = defaultdict(list)
    for start, end in columns.links:
        neighbours[start if backwards else end].append(end if backwards else start)
    at = {place: i - len(column) / 2 for column in columns.columns for i, place in enumerate(column)}
    result = [*columns.columns]
    for c in range(len(result))[:: -1 if backwards else 1]:
        wanted = {place: _mean([at[other] for other in neighbours[place]], at[place]) for place in result[c]}
        result[c] = tuple(sorted(result[c], key=wanted.__getitem__))
        at |= {place: i - len(result[c]) / 2 for i, place in enumerate(result[c])}
    return Columns(tuple(result), columns.links)


def _swapped(columns: Columns) -> Columns:
    """Neighbours in a column exchanged where that makes fewer crossings."""
    rank = {place: i for column in columns.columns for i, place in enumerate(column)}
    sides: tuple[dict[Place, list[Place]], ...] = defaultdict(list), defaultdict(list)
    for start, end in columns.links:
        sides[0][start].append(end)
        sides[1][end].append(start)
    result = [list(column) for column in columns.columns]
    for column in result:
        for i in range(len(column) - 1):
            upper, lower = column[i], column[i + 1]
            pairs = [([rank[p] for p in side[upper]], [rank[p] for p in side[lower]]) for side in sides]
            now = sum(u > w for above, below in pairs for u in above for w in below)
            then = sum(u < w for above, below in pairs for u in above for w in below)
            if then < now:
                column[i], column[i + 1] = lower, upper
                rank[upper], rank[lower] = i + 1, i
    return Columns(tuple(map(tuple, result)), columns.links)


def _both_ways(edges: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """end -> its starts; start -> its ends."""
    starts: dict[str, list[str]] = {}
    ends: dict[str, list[str]] = defaultdict(list)
    for start, end in edges:
        starts.setdefault(end, []).append(start)
        ends[start].append(end)
    return starts, ends


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
