"""The routes of Microsoft.Maintenance with the action each needs. No published buckets: none are spent."""

from arm_emulator.protocol.routing import Route
from arm_emulator.providers.maintenance import (
    apply_updates,
    assignments,
    configurations,
    dynamic_scopes,
    public_configurations,
)

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_PROVIDER = "/providers/Microsoft.Maintenance"
_CONFIGURATION = f"{_GROUP}{_PROVIDER}/maintenanceConfigurations"
_ASSIGNED = f"{_PROVIDER}/configurationAssignments"
_ON_RESOURCE = f"/{{scope+}}{_ASSIGNED}"
_CONFIGURE = "Microsoft.Maintenance/maintenanceConfigurations"
_APPLIED = f"{_PROVIDER}/applyUpdates"
_PUBLIC = f"{_SUBSCRIPTION}{_PROVIDER}/publicMaintenanceConfigurations"
_PUBLIC_ACTION = "Microsoft.Maintenance/publicMaintenanceConfigurations"
_APPLY = "Microsoft.Maintenance/applyUpdates"
_ASSIGN = "Microsoft.Maintenance/configurationAssignments"


def _scope_routes(scope: str) -> tuple[Route, ...]:
    one = f"{scope}{_ASSIGNED}/{{name}}"
    return (
        Route("PUT", one, dynamic_scopes.put_scope, f"{_ASSIGN}/write"),
        Route("PATCH", one, dynamic_scopes.patch_scope, f"{_ASSIGN}/write"),
        Route("GET", one, dynamic_scopes.get_scope, f"{_ASSIGN}/read"),
        Route("DELETE", one, dynamic_scopes.delete_scope, f"{_ASSIGN}/delete"),
        Route("GET", f"{scope}{_ASSIGNED}", dynamic_scopes.list_scopes, f"{_ASSIGN}/read"),
    )


ROUTES: tuple[Route, ...] = (
    Route("PUT", f"{_CONFIGURATION}/{{name}}", configurations.put_configuration, f"{_CONFIGURE}/write"),
    Route("PATCH", f"{_CONFIGURATION}/{{name}}", configurations.patch_configuration, f"{_CONFIGURE}/write"),
    Route("GET", f"{_CONFIGURATION}/{{name}}", configurations.get_configuration, f"{_CONFIGURE}/read"),
    Route("DELETE", f"{_CONFIGURATION}/{{name}}", configurations.delete_configuration, f"{_CONFIGURE}/delete"),
    Route("GET", _CONFIGURATION, configurations.list_configurations, f"{_CONFIGURE}/read"),
    Route(
        "GET",
        f"{_SUBSCRIPTION}{_PROVIDER}/maintenanceConfigurations",
        configurations.list_configurations,
        f"{_CONFIGURE}/read",
    ),
    *_scope_routes(_SUBSCRIPTION),
    *_scope_routes(_GROUP),
    Route("PUT", f"{_ON_RESOURCE}/{{name}}", assignments.put_assignment, f"{_ASSIGN}/write"),
    Route("GET", f"{_ON_RESOURCE}/{{name}}", assignments.get_assignment, f"{_ASSIGN}/read"),
    Route("DELETE", f"{_ON_RESOURCE}/{{name}}", assignments.delete_assignment, f"{_ASSIGN}/delete"),
    Route("GET", _ON_RESOURCE, assignments.list_assignments, f"{_ASSIGN}/read"),
    Route("PUT", f"/{{scope+}}{_APPLIED}/{{name}}", apply_updates.put_update, f"{_APPLY}/write"),
    Route("GET", f"/{{scope+}}{_APPLIED}/{{name}}", apply_updates.get_update, f"{_APPLY}/read"),
    Route("GET", f"{_SUBSCRIPTION}{_APPLIED}", apply_updates.list_of_scope, f"{_APPLY}/read"),
    Route("GET", f"{_GROUP}{_APPLIED}", apply_updates.list_of_scope, f"{_APPLY}/read"),
    Route("GET", f"/{{scope+}}{_PROVIDER}/updates", apply_updates.list_pending, "Microsoft.Maintenance/updates/read"),
    Route("GET", f"{_PUBLIC}/{{name}}", public_configurations.get_public, f"{_PUBLIC_ACTION}/read"),
    Route("GET", _PUBLIC, public_configurations.list_public, f"{_PUBLIC_ACTION}/read"),
)
"""Every operation of Microsoft.Maintenance that is emulated."""
