"""The page of every emulated route, made from the emulator's own routing tables."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from tests.docs.pages import DOCS

from arm_emulator.protocol.routing import Route
from arm_emulator.protocol.throttle import namespace_of
from arm_emulator.providers.compute.actions import not_emulated
from arm_emulator.routes import routes

PAGE = DOCS / "reference" / "emulator-routes.md"
_HEAD = """# What the emulator answers

This page is made from the emulator's routing tables by `make docs`; do not edit it.
Every other call is answered with 501 `NotEmulated`, and never with a guess.
[The emulator's reference](emulator.md#what-is-different-from-azure) lists where an answer is simpler than Azure's.
It also describes the sign-in, the metadata document, the look-ups of Microsoft Graph and the control plane.
`{name}` matches one segment of the path, `{name+}` one or more; literal segments match in any case.
*Action* is the permission that a call needs at its scope; *limits* are the buckets from which it takes a token.
"""
_ORDER = {"GET": 0, "HEAD": 1, "PUT": 2, "PATCH": 3, "POST": 4, "DELETE": 5}


def render_routes() -> str:
    """The page."""
    return _HEAD + "".join(_sections(sorted(filter(_is_answered, routes()), key=_place)))


def _sections(found: Iterable[Route]) -> Iterator[str]:
    for namespace, rows in groupby(found, key=_namespace):
        yield f"\n## {namespace}\n\n| method | path | action | limits |\n|---|---|---|---|\n"
        for route in rows:
            action = f"`{route.action}`" if route.action else ""
            limits = ", ".join(f"`{name}`" for name in route.throttle)
            yield f"| {route.method} | `{route.pattern}` | {action} | {limits} |\n"


def _is_answered(route: Route) -> bool:
    return route.handler is not not_emulated


def _place(route: Route) -> tuple[str, str, int]:
    return _namespace(route).lower(), route.pattern.lower(), _ORDER[route.method]


def _namespace(route: Route) -> str:
    namespace = namespace_of(route.pattern)
    return namespace if namespace and "{" not in namespace else "Microsoft.Resources"
