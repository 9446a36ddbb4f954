"""Routes and the tree that finds the one for a path.

Literal segments match in any casing, as Azure Resource Manager's do. ``{name}`` takes one segment, ``{scope+}`` one or
more.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud
    from arm_emulator.protocol.http import Request, Response

Handler = Callable[["Cloud", "Request", dict[str, str]], "Response"]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of one provider."""

    method: str
    pattern: str
    """E.g. ``/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{name}``."""
    handler: Handler
    action: str = ""
    """The RBAC action, e.g. ``Microsoft.Compute/virtualMachines/write``; ``''`` where none is needed."""
    api_versions: frozenset[str] | None = None
    """The api-versions served; None means any well-formed one."""
    throttle: tuple[str, ...] = ()
    """The provider's buckets one call spends, in header order. ``...Resource`` is counted per resource, the others per
    subscription and region."""


@dataclass(frozen=True, slots=True)
class Match:
    """A path's routes by method, and what its parameters took. ``methods`` is never empty."""

    methods: dict[str, Route]
    params: dict[str, str]


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    single: "_Node | None" = None
    several: "_Node | None" = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class Router:
    """Finds the route of a path. Literals win over ``{name}``, and that over ``{scope+}``."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.pattern.strip("/").split("/"):
            if not segment.startswith("{"):
                node = node.literals.setdefault(segment.lower(), _Node())
            elif segment.endswith("+}"):
                names.append(segment[1:-2])
                node.several = node = node.several or _Node()
            else:
                names.append(segment[1:-1])
                node.single = node = node.single or _Node()
        if route.method in node.routes:
            raise ValueError(f"two routes for {route.method} {route.pattern}")
        node.routes[route.method] = (route, tuple(names))

    def find(self, path: str) -> Match | None:
        """The routes of a decoded path, or None where no pattern fits."""
        segments = path.strip("/").split("/")
        lowered = [segment.lower() for segment in segments]
        for node, values in _walk(self._root, segments, lowered, 0, ()):
            methods = {method: route for method, (route, _) in node.routes.items()}
            names = next(iter(node.routes.values()))[1]
            return Match(methods, dict(zip(names, values, strict=True)))
        return None


def _walk(
    node: _Node, segments: list[str], lowered: list[str], at: int, values: tuple[str, ...]
) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    if at == len(segments):
        if node.routes:
            yield node, values
        return
    literal = node.literals.get(lowered[at])
    if literal is not None:
        yield from _walk(literal, segments, lowered, at + 1, values)
    if node.single is not None and segments[at]:
        yield from _walk(node.single, segments, lowered, at + 1, (*values, segments[at]))
    if node.several is not None:
        for end in range(len(segments) - 1, at, -1):
            taken = "/".join(segments[at:end])
            yield from _walk(node.several, segments, lowered, end, (*values, taken))
