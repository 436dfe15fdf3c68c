"""Order along edges: what must come before what, and the path of a cycle."""

from collections.abc import Hashable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


class CycleError(Exception):
    """The edges go round; `path` begins and ends with the same node."""

    def __init__(self, path: Sequence[object]) -> None:
        super().__init__(" -> ".join(str(node) for node in path))
        self.path = tuple(path)


def ordered(before: Mapping[Node, frozenset[Node]]) -> list[Node]:
    """All nodes, each after those it names; where edges leave a choice, in the order of the mapping.

    CycleError when the edges go round. Edges to nodes that are not keys are ignored.
    """
    rank = {node: index for index, node in enumerate(before)}
    nodes = list(before)
    waiting: dict[Node, int] = {}
    unlocks: dict[Node, list[Node]] = {}
    for node, earlier in before.items():
        known = [other for other in earlier if other in rank]
        waiting[node] = len(known)
        for other in known:
            unlocks.setdefault(other, []).append(node)
    ready = [rank[node] for node, count in waiting.items() if count == 0]
    heapify(ready)
    result: list[Node] = []
    while ready:
        node = nodes[heappop(ready)]
        result.append(node)
        for later in unlocks.get(node, ()):
            waiting[later] -= 1
            if waiting[later] == 0:
                heappush(ready, rank[later])
    if len(result) < len(nodes):
        path = _cycle(before, {node for node in nodes if waiting[node] > 0})
        raise CycleError(path)
    return result


def _cycle(before: Mapping[Node, frozenset[Node]], stuck: set[Node]) -> list[Node]:
    """One cycle among nodes that can't be ordered: walk backwards until a node repeats."""
    path: list[Node] = [min(stuck, key=str)]
    while True:
        following = min((node for node in before[path[-1]] if node in stuck), key=str)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
