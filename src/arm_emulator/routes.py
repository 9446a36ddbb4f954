"""Gathers the routes of every provider into one router. A provider that is not listed here does not exist."""

import importlib
from functools import lru_cache

from arm_emulator.protocol.routing import Route, Router

PROVIDERS = (
    "arm_emulator.protocol.operation_polls",
    "arm_emulator.providers.resources",
    "arm_emulator.providers.tags",
    "arm_emulator.providers.registration",
    "arm_emulator.providers.authorization",
    "arm_emulator.providers.policy_assignments",
    "arm_emulator.providers.policy_remediations",
    "arm_emulator.providers.management_groups",
    "arm_emulator.providers.network",
    "arm_emulator.providers.event_grid",
    "arm_emulator.providers.fleet_reads",
    "arm_emulator.providers.insights",
    "arm_emulator.providers.resource_graph.endpoint",
    "arm_emulator.providers.compute.routes",
    "arm_emulator.providers.compute.sizes",
    "arm_emulator.providers.hybrid_compute.routes",
    "arm_emulator.providers.maintenance.routes",
)


@lru_cache(maxsize=1)
def routes() -> tuple[Route, ...]:
    """Every route of every provider."""
    found: list[Route] = []
    for name in PROVIDERS:
        found.extend(importlib.import_module(name).ROUTES)
    return tuple(found)


@lru_cache(maxsize=1)
def router() -> Router:
    """The router over ``routes()``; it holds no state of an emulator, so all share it."""
    return Router(routes())
