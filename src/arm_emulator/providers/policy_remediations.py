"""Microsoft.PolicyInsights/remediations: tasks that change the machines that an assigned built-in policy selects.

Each machine is changed by a call of its own, made as the assignment's managed identity through the front door, so that
roles, locks and deny assignments refuse it there as anybody's. Two built-ins are carried out (``policy_evaluation``);
for others and for sets the answer is 501. A task that runs while the process ends is not taken up again.

Source: azure-rest-api-specs, Microsoft.PolicyInsights 2021-10-01, remediations.json (paths, members, statuses, the two
discovery modes); Microsoft, "Azure Policy remediation task structure" (500 resources and 10 at once by default, 50,000
and 30 at most; the threshold; no re-evaluation at a management group; settings are fixed once it has started).
Not confirmed: codes and texts of refusals, the state while it runs, which machines are taken where there are more.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from arm_emulator.protocol.front_door import admit
from arm_emulator.protocol.http import ArmError, Principal, Request, Response
from arm_emulator.protocol.paging import list_page
from arm_emulator.protocol.routing import Route
from arm_emulator.protocol.wire import new_id
from arm_emulator.providers.policy_definitions import PREREQUISITE
from arm_emulator.providers.policy_evaluation import EVALUATED, change_of, is_changed, parameters_of
from arm_emulator.state import Document, Stored

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud
    from arm_emulator.protocol.operations import Operation

_TYPE = "Microsoft.PolicyInsights/remediations"
_OVER = ("Succeeded", "Failed", "Canceled")
_MODES = ("ExistingNonCompliant", "ReEvaluateCompliance")
_MOST, _MOST_AT_ONCE = 50_000, 30
_DEFAULTS: Document = {"resourceCount": 500, "parallelDeployments": 10, "failureThreshold": {"percentage": 1}}
_TICK = timedelta(seconds=0.25)
_HIDDEN = "deployments"
_VM_API = "2023-07-01"
"""From this version on the definition selects machines without a computer name."""


@dataclass(slots=True)
class _Task:
    """A task while it runs."""

    cloud: "Cloud"
    id: str
    request: Request
    principal: Principal
    policy: str
    parameters: Document
    waiting: list[Stored]
    running: list[tuple[Document, "Operation | None"]] = field(default_factory=list)

    def step(self) -> None:
        """Look at what runs, begin what may begin, and come again until it is over."""
        stored = self.cloud.state.get(self.id)
        if stored is None:
            return
        document = stored.copy()
        properties, entries = document["properties"], {one["remediatedResourceId"]: one for one in document[_HIDDEN]}
        now = _time(self.cloud.clock.now())
        still: list[tuple[Document, Operation | None]] = []
        for entry, operation in self.running:
            if operation is not None and not operation.is_over:
                still.append((entry, operation))
                continue
            is_failed = operation is not None and operation.outcome != "Succeeded"
            error = operation.error if operation is not None and is_failed else None
            _end(entries[entry["remediatedResourceId"]], error, now, is_failed=is_failed)
        self.running = still
        while self._may_begin(properties, entries):
            self._begin(self.waiting.pop(0), entries, now)
        _count(properties, entries, now)
        is_canceled = properties["provisioningState"] == "Canceled"
        if not self.running and not self._may_begin(properties, entries):
            if not is_canceled:
                properties["provisioningState"] = self._end_state(properties, entries)
        else:
            self.cloud.clock.call_at(self.cloud.clock.now() + _TICK, self.step)
        self.cloud.state.put(document, etag=None)

    def _may_begin(self, properties: Document, entries: dict[str, Document]) -> bool:
        has_room = len(self.running) < properties["parallelDeployments"]
        is_stopped = properties["provisioningState"] == "Canceled" or _is_spent(properties, entries)
        return bool(self.waiting) and has_room and not is_stopped

    def _end_state(self, properties: Document, entries: dict[str, Document]) -> str:
        failed = properties["deploymentStatus"]["failedDeployments"]
        if _is_spent(properties, entries) and failed:
            properties["statusMessage"] = "The failure threshold of the remediation was exceeded."
            return "Failed"
        return "Failed" if failed and self.cloud.profile.remediation_with_failures == "failed" else "Succeeded"

    def _begin(self, machine: Stored, entries: dict[str, Document], now: str) -> None:
        entry = entries[machine.id]
        entry["status"], entry["createdOn"] = "Running", now
        before = {one.id for one in self.cloud.operations.of_target(machine.id)}
        try:
            self._change(machine)
        except ArmError as refused:
            _end(entry, {"code": refused.code, "message": refused.message}, now, is_failed=True)
            return
        begun = [one for one in self.cloud.operations.of_target(machine.id) if one.id not in before]
        self.running.append((entry, begun[-1] if begun else None))

    def _change(self, machine: Stored) -> None:
        group = "/".join(machine.id.split("/")[:5])
        if self.policy == PREREQUISITE:
            action = "Microsoft.Resources/deployments/write"
            self.cloud.authorization.check_role(self.principal, action, group)
        method, body = change_of(self.policy, self.parameters, machine)
        rule = self.cloud.faults.strike(method, machine.id)
        if rule is not None and rule.do.respond is not None and rule.do.respond.status >= 400:
            told = (rule.do.respond.json or {}).get("error", {})
            raise ArmError(rule.do.respond.status, str(told.get("code", "")), str(told.get("message", "")))
        _called(self.cloud, self.request, self.principal, method, machine.id, body)


def _called(cloud: "Cloud", request: Request, principal: Principal, method: str, path: str, body: Document) -> None:
    from arm_emulator.routes import router  # it gathers this module's routes, too

    call = Request(
        method=method,
        path=path,
        query={"api-version": _VM_API},
        headers={},
        body=body,
        base_url=request.base_url,
        principal=principal,
        request_id=new_id(),
        correlation_id=request.correlation_id,
        api_version=_VM_API,
        raw_query=f"api-version={_VM_API}",
    )
    admit(cloud, call, router().find(path))


def _put(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    identifier = _id(params)
    given = request.body.get("properties") if isinstance(request.body, dict) else None
    if not isinstance(given, dict):
        raise _invalid("'properties' is required")
    if (before := cloud.state.get(identifier)) is not None:
        return _again(before, given)
    assignment = _assignment(cloud, params, given)
    settings = _settings(params, given)
    policy = str(assignment["properties"]["policyDefinitionId"]).rsplit("/", 1)[-1].lower()
    if policy not in EVALUATED:
        raise ArmError(501, "NotEmulated", f"The emulator does not emulate remediations of {policy}.")
    parameters = parameters_of(policy, assignment["properties"].get("parameters") or {})
    machines = _found(cloud, params, settings, assignment, parameters)
    now, total = _time(cloud.clock.now()), len(machines)
    document = {
        "id": identifier,
        "type": _TYPE,
        "name": params["name"],
        "properties": {
            **settings,
            "policyAssignmentId": given["policyAssignmentId"],
            "provisioningState": "Accepted",
            "createdOn": now,
            "lastUpdatedOn": now,
            "correlationId": request.correlation_id,
            "deploymentStatus": {"totalDeployments": total, "successfulDeployments": 0, "failedDeployments": 0},
        },
        _HIDDEN: [_entry(one, policy, identifier, now) for one in machines],
    }
    stored = cloud.state.put(document, etag=None)
    principal = _principal(cloud, assignment)
    task = _Task(cloud, identifier, request, principal, policy, parameters, list(machines))
    cloud.clock.call_at(cloud.clock.now(), task.step)
    return Response(201, _shown(stored))


def _again(before: Stored, given: Document) -> Response:
    """The same once more changes nothing; its settings are fixed once it has started."""
    kept = before.document["properties"]
    if any(kept.get(name) != value for name, value in given.items() if name in (*_DEFAULTS, "policyAssignmentId")):
        raise _invalid("the settings of a remediation cannot be changed once it has started")
    return Response(200, _shown(before))


def _assignment(cloud: "Cloud", params: dict[str, str], given: Document) -> Document:
    named = str(given.get("policyAssignmentId") or "")
    stored = cloud.state.get(named) if named else None
    if stored is None or stored.type != "microsoft.authorization/policyassignments":
        raise _invalid(f"the policy assignment '{named}' is not found")
    own = str(stored.document["properties"].get("scope") or "")
    if not _is_within(cloud, f"/{params['scope']}", own):
        raise _invalid(f"the policy assignment '{named}' is not at the scope of the remediation or above it")
    if "/policysetdefinitions/" in str(stored.document["properties"].get("policyDefinitionId")).lower():
        if not given.get("policyDefinitionReferenceId"):
            raise _invalid("'policyDefinitionReferenceId' is required for an assignment of a policy set definition")
        raise ArmError(501, "NotEmulated", "The emulator does not emulate remediations of sets.")
    if (stored.document.get("identity") or {}).get("type") != "SystemAssigned":
        raise _invalid(f"the policy assignment '{named}' has no system-assigned identity")
    return stored.document


def _settings(params: dict[str, str], given: Document) -> Document:
    settings = {**_DEFAULTS, **{name: given[name] for name in (*_DEFAULTS, "filters") if given.get(name) is not None}}
    mode = given.get("resourceDiscoveryMode") or _MODES[0]
    if mode not in _MODES:
        raise _invalid(f"'{mode}' is not a resourceDiscoveryMode")
    if mode == _MODES[1] and "/managementgroups/" in f"/{params['scope'].lower()}/":
        raise _invalid("ReEvaluateCompliance is not supported at management group scope")
    for name, most in (("resourceCount", _MOST), ("parallelDeployments", _MOST_AT_ONCE)):
        if not isinstance(settings[name], int) or not 1 <= settings[name] <= most:
            raise _invalid(f"'{name}' must be between 1 and {most}")
    threshold = settings["failureThreshold"]
    part = threshold.get("percentage") if isinstance(threshold, dict) else None
    if not isinstance(part, int | float) or not 0 <= part <= 1:
        raise _invalid("'failureThreshold.percentage' must be between 0 and 1")
    return {**settings, "resourceDiscoveryMode": mode}


def _found(
    cloud: "Cloud", params: dict[str, str], settings: Document, assignment: Document, parameters: Document
) -> list[Stored]:
    """The machines of the task: not compliant, below its scope, not left out; at most as many as it takes."""
    if settings["resourceDiscoveryMode"] == _MODES[0] and not _is_evaluated(cloud, assignment):
        return []
    properties = assignment["properties"]
    policy = str(properties["policyDefinitionId"]).rsplit("/", 1)[-1].lower()
    left_out = [str(one).lower() for one in properties.get("notScopes") or ()]
    left_out += _exempt(cloud, str(assignment["id"]))
    regions = {str(one).lower() for one in (settings.get("filters") or {}).get("locations") or ()}
    found = []
    for one in sorted(cloud.state.of_type("microsoft.compute/virtualmachines"), key=lambda one: one.key):
        is_left_out = any(f"{one.key}/".startswith(f"{place.rstrip('/')}/") for place in left_out)
        if is_left_out or not _is_below(cloud, one, f"/{params['scope']}") or (regions and one.location not in regions):
            continue
        if is_changed(policy, parameters, one, one.group):
            found.append(one)
    most: int = settings["resourceCount"]
    return found[:most]


def _is_evaluated(cloud: "Cloud", assignment: Document) -> bool:
    """Whether Azure has evaluated an assignment since it was written; one that a fleet brought was."""
    written = (assignment.get("systemData") or {}).get("lastModifiedAt")
    if not written:
        return True
    age = cloud.clock.now() - datetime.fromisoformat(written)
    return age >= timedelta(minutes=cloud.profile.policy_evaluation_minutes)


def _exempt(cloud: "Cloud", assignment_id: str) -> list[str]:
    found, now = [], cloud.clock.now()
    for one in cloud.state.of_type("microsoft.authorization/policyexemptions"):
        properties = one.document["properties"]
        ends = properties.get("expiresOn")
        is_past = bool(ends) and datetime.fromisoformat(ends) <= now
        if str(properties.get("policyAssignmentId")).lower() == assignment_id.lower() and not is_past:
            found.append(one.key.partition("/providers/microsoft.authorization/")[0])
    return found


def _is_below(cloud: "Cloud", machine: Stored, scope: str) -> bool:
    lowered = scope.lower()
    if "/managementgroups/" not in lowered:
        return machine.key.startswith(f"{lowered}/")
    under = cloud.directory.subscriptions_under(scope.rsplit("/", 1)[-1])
    return machine.subscription in {one.id.lower() for one in under}


def _is_within(cloud: "Cloud", scope: str, above: str) -> bool:
    """Whether a scope is another one, or below it."""
    if "/managementgroups/" not in above.lower() or "/managementgroups/" in scope.lower():
        return f"{scope}/".lower().startswith(f"{above}/".lower())
    under = cloud.directory.subscriptions_under(above.rsplit("/", 1)[-1])
    return scope.split("/")[2].lower() in {one.id.lower() for one in under}


def _principal(cloud: "Cloud", assignment: Document) -> Principal:
    identity = assignment["identity"]
    name = str(assignment["name"])
    return Principal(str(identity["principalId"]), name, cloud.directory.tenant_id, str(identity["principalId"]))


def _entry(machine: Stored, policy: str, task: str, now: str) -> Document:
    group = "/".join(machine.id.split("/")[:5])
    name = uuid5(NAMESPACE_URL, f"{task}{machine.key}".lower())
    deployment = {"deploymentId": f"{group}/providers/Microsoft.Resources/deployments/{name}"}
    return {
        "remediatedResourceId": machine.id,
        **(deployment if policy == PREREQUISITE else {}),
        "status": "Accepted",
        "resourceLocation": machine.location,
        "createdOn": now,
        "lastUpdatedOn": now,
    }


def _end(entry: Document, error: Document | None, now: str, *, is_failed: bool) -> None:
    entry["status"], entry["lastUpdatedOn"] = "Failed" if is_failed else "Succeeded", now
    if not is_failed:
        return
    told = error or {"code": "InternalExecutionError", "message": "The operation failed."}
    if "deploymentId" in entry:
        message = "At least one resource deployment operation failed. Please list deployment operations for details."
        told = {"code": "DeploymentFailed", "message": message, "details": [dict(told)]}
    entry["error"] = told


def _is_spent(properties: Document, entries: dict[str, Document]) -> bool:
    """Whether more have failed than the threshold allows, of all that the task takes."""
    failed = sum(one["status"] == "Failed" for one in entries.values())
    return bool(entries) and failed / len(entries) > properties["failureThreshold"]["percentage"]


def _count(properties: Document, entries: dict[str, Document], now: str) -> None:
    ends = [one["status"] for one in entries.values()]
    properties["lastUpdatedOn"] = now
    properties["deploymentStatus"] = {
        "totalDeployments": len(ends),
        "successfulDeployments": ends.count("Succeeded"),
        "failedDeployments": ends.count("Failed"),
    }


def _get(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    return Response(200, _shown(_there(cloud, params)))


def _deployments(cloud: "Cloud", request: Request, params: dict[str, str]) -> Response:
    """Of what has begun: a machine whose turn has not come has no deployment."""
    document = _there(cloud, params).document
    begun = [one for one in document[_HIDDEN] if one["status"] != "Accepted"]
    return Response(200, list_page(cloud, request, lambda: begun, lambda one: one))


def _cancel(cloud: "Cloud", _: Request, params: dict[str, str]) -> Response:
    """Begin nothing more. What runs goes on to its end; of a task that is over the answer is not confirmed."""
    stored = _there(cloud, params)
    if stored.document["properties"]["provisioningState"] in _OVER:
        raise _invalid("the remediation is over")
    document = stored.copy()
    document["properties"]["provisioningState"] = "Canceled"
    return Response(200, _shown(cloud.state.put(document, etag=None)))


def _there(cloud: "Cloud", params: dict[str, str]) -> Stored:
    stored = cloud.state.get(_id(params))
    if stored is None:
        message = f"The remediation '{params['name']}' could not be found."
        raise ArmError(404, "RemediationNotFound", message, gateway=True)
    return stored


def _shown(stored: Stored) -> Document:
    return {name: one for name, one in stored.document.items() if name != _HIDDEN}


def _id(params: dict[str, str]) -> str:
    return f"/{params['scope']}/providers/{_TYPE}/{params['name']}"


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _invalid(what: str) -> ArmError:
    message = f"The request to create the remediation is invalid: {what}."
    return ArmError(400, "InvalidCreateRemediationRequest", message, gateway=True)


_BASE = f"/{{scope+}}/providers/{_TYPE}/{{name}}"
ROUTES: tuple[Route, ...] = (
    Route("PUT", _BASE, _put, f"{_TYPE}/write"),
    Route("GET", _BASE, _get, f"{_TYPE}/read"),
    Route("POST", f"{_BASE}/listDeployments", _deployments, f"{_TYPE}/listDeployments/read"),
    Route("GET", f"{_BASE}/listDeployments", _deployments, f"{_TYPE}/listDeployments/read"),
    Route("POST", f"{_BASE}/cancel", _cancel, f"{_TYPE}/cancel/action"),
)
"""GET of ``listDeployments`` continues a page, as azure-mgmt-policyinsights follows a nextLink."""
