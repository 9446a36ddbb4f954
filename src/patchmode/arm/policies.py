"""Microsoft.Authorization's policies: definitions, assignments and exemptions, as their provider answers them.

Must not: judge. What a definition selects is in `rules/policy`.

Source: azure-rest-api-specs, specification/resources/resource-manager/Microsoft.Authorization: policyAssignments,
policyDefinitions and policySetDefinitions 2023-04-01, policyExemptions 2022-07-01-preview. The list of a subscription
has inherited assignments, its own, and those on what is in it. specification/policyinsights/resource-manager/
Microsoft.PolicyInsights: remediations 2021-10-01.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

from patchmode.arm.channel import Channel, ListPage
from patchmode.arm.governor import Cost, Verb
from patchmode.arm.wire import member, text_of
from patchmode.errors import RejectedError
from patchmode.model.left_alone import Unreadable
from patchmode.model.policy import (
    PolicyAssignment,
    PolicyDefinition,
    PolicyExemption,
    PolicyReference,
    PolicySet,
    RemediatedMachine,
    RemediationTask,
)

API = "2023-04-01"
EXEMPTIONS_API = "2022-07-01-preview"
ROLES_API = "2022-04-01"
REMEDIATIONS_API = "2021-10-01"
_NOT_FOUND = 404
_HAS_IT = "roleassignmentexists"
_PROVIDER = "/providers/Microsoft.Authorization/"
T = TypeVar("T")


class PolicyReader:
    """Fulfils `ports.Policies`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def assignments(self, subscription_id: str) -> Sequence[PolicyAssignment | Unreadable]:
        """Every assignment that applies in a subscription. See `ports.Policies.assignments`."""
        return await self._list(subscription_id, "policyAssignments", API, assignment_of)

    async def exemptions(self, subscription_id: str) -> Sequence[PolicyExemption | Unreadable]:
        """Every exemption that applies in a subscription. See `ports.Policies.exemptions`."""
        return await self._list(subscription_id, "policyExemptions", EXEMPTIONS_API, exemption_of)

    async def definition(self, definition_id: str) -> PolicyDefinition:
        """One definition in its newest version. See `ports.Policies.definition`."""
        return _read(definition_id, definition_of, await self._get(definition_id))

    async def definition_set(self, set_id: str) -> PolicySet:
        """One set of definitions. See `ports.Policies.definition_set`."""
        return _read(set_id, set_of, await self._get(set_id))

    async def assignment(self, assignment_id: str) -> Mapping[str, Any] | None:
        """The document of one assignment. See `ports.Policies.assignment`."""
        try:
            return await self._get(assignment_id)
        except RejectedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def roles_of(self, scope: str, principal_id: str) -> Collection[str]:
        """The roles of a principal at exactly a scope. See `ports.Policies.roles_of`.

        Source: Microsoft, "List Azure role assignments using the REST API": `principalId eq` also lists inherited ones.
        """
        path = f"{scope}{_PROVIDER}roleAssignments"
        url = self._channel.url(path, ROLES_API, _filter=f"principalId eq '{principal_id}'")
        pages = self._channel.pages(url, Cost(_subscription_of(scope)), Any)
        found = [member(one, "properties") async for page in pages for one in page if isinstance(one, Mapping)]
        here = scope.lower().rstrip("/")
        return {
            (text_of(one.get("roleDefinitionId")) or "").rsplit("/", 1)[-1].lower()
            for one in found
            if (text_of(one.get("scope")) or "").lower().rstrip("/") == here
        }

    async def remediation(self, remediation_id: str) -> RemediationTask | None:
        """One remediation task. See `ports.Policies.remediation`."""
        try:
            return task_of(remediation_id, await self._get(remediation_id, REMEDIATIONS_API))
        except RejectedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def remediated(self, remediation_id: str) -> Sequence[RemediatedMachine]:
        """The machines that a task has begun with. See `ports.Policies.remediated`.

        The list is a POST, and its further pages are read with GET, as azure-mgmt-policyinsights 1.0.1 does.
        """
        spend = Cost(_subscription_of(remediation_id))
        url = self._channel.url(f"{remediation_id}/listDeployments", REMEDIATIONS_API)
        answer = await self._channel.query(url, {}, spend, shape=ListPage[Any])
        entries, further = list(answer.document.value), self._channel.own(answer.document.next_link)
        if further:
            async for page in self._channel.pages(further, spend, Any):
                entries += page
        elif answer.document.next_link:
            message = f"POST {remediation_id}/listDeployments: its next link leads out of this cloud"
            raise RejectedError(message, code="UnusableAnswer", status=200)
        return [machine_of(one) for one in entries if isinstance(one, Mapping)]

    async def _get(self, resource_id: str, api: str = API) -> Mapping[str, Any]:
        answer = await self._channel.get(self._channel.url(resource_id, api), Cost(_subscription_of(resource_id)))
        document: Mapping[str, Any] = answer.document
        return document

    async def _list(
        self, subscription_id: str, kind: str, api: str, read: Callable[[Mapping[str, Any]], T]
    ) -> list[T | Unreadable]:
        path = f"/subscriptions/{subscription_id}{_PROVIDER}{kind}"
        pages = self._channel.pages(self._channel.url(path, api), Cost(subscription_id), Any)
        return [_entry(one, read, path) async for page in pages for one in page]


class PolicyWriter:
    """Fulfils `ports.PolicyWriter`. Each request is repeated until there is an answer."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def put_assignment(self, assignment_id: str, body: Mapping[str, Any]) -> None:
        """Create or replace an assignment. See `ports.PolicyWriter.put_assignment`."""
        await self._put(assignment_id, API, body)

    async def put_exemption(self, exemption_id: str, body: Mapping[str, Any]) -> None:
        """Create or replace an exemption. See `ports.PolicyWriter.put_exemption`."""
        await self._put(exemption_id, EXEMPTIONS_API, body)

    async def put_remediation(self, remediation_id: str, body: Mapping[str, Any]) -> None:
        """Start a remediation task. See `ports.PolicyWriter.put_remediation`."""
        await self._put(remediation_id, REMEDIATIONS_API, body)

    async def grant(self, scope: str, role_id: str, principal_id: str) -> None:
        """Assign a role to a managed identity. See `ports.PolicyWriter.grant`.

        The name is made from what it says, so that a repeated request is the same one. The type of the principal is
        sent because a new identity is not everywhere known at once.
        Source: Microsoft, "Assign Azure roles using the REST API", new service principal.
        """
        name = uuid5(NAMESPACE_URL, f"{scope.lower()}|{role_id.lower()}|{principal_id.lower()}")
        place = _subscription_of(scope)
        role = f"/subscriptions/{place}" if place else ""
        properties = {
            "roleDefinitionId": f"{role}{_PROVIDER}roleDefinitions/{role_id}",
            "principalId": principal_id,
            "principalType": "ServicePrincipal",
        }
        try:
            await self._put(f"{scope}{_PROVIDER}roleAssignments/{name}", ROLES_API, {"properties": properties})
        except RejectedError as error:
            if error.code.casefold() != _HAS_IT:
                raise

    async def _put(self, resource_id: str, api: str, body: Mapping[str, Any]) -> None:
        spend = Cost(_subscription_of(resource_id), Verb.WRITES)
        await self._channel.put(self._channel.url(resource_id, api), body, spend)


def _entry(entry: object, read: Callable[[Mapping[str, Any]], T], path: str) -> T | Unreadable:
    try:
        return read(entry if isinstance(entry, Mapping) else {})
    except ValueError as error:
        named = text_of(entry.get("id")) if isinstance(entry, Mapping) else None
        return Unreadable(named or f"an entry of {path}", f"It cannot be read: {error}")


def _read(resource_id: str, read: Callable[[Mapping[str, Any]], T], document: Mapping[str, Any]) -> T:
    try:
        return read(document)
    except ValueError as error:
        raise RejectedError(f"GET {resource_id}: {error}", code="UnusableAnswer", status=200) from error


def definition_of(document: Mapping[str, Any]) -> PolicyDefinition:
    """A definition of its document.

    Raises:
        ValueError: it has no id or no rule.
    """
    properties = member(document, "properties")
    version = text_of(properties.get("version")) or text_of(member(properties, "metadata").get("version"))
    rule = properties.get("policyRule")
    if isinstance(rule, Mapping):
        title = text_of(properties.get("displayName")) or ""
        return PolicyDefinition(_id(document), title, version, _parameters(properties), rule)
    raise ValueError("it has no policyRule")


def set_of(document: Mapping[str, Any]) -> PolicySet:
    """A set of its document.

    Raises:
        ValueError: it has no id, or a reference in it names no definition.
    """
    properties = member(document, "properties")
    references = []
    for one in _objects(properties.get("policyDefinitions")):
        definition_id = text_of(one.get("policyDefinitionId"))
        if definition_id is None:
            raise ValueError("a reference in it names no definition")
        reference_id = text_of(one.get("policyDefinitionReferenceId")) or ""
        references.append(PolicyReference(definition_id, reference_id, _values(one)))
    return PolicySet(_id(document), _parameters(properties), tuple(references))


def assignment_of(document: Mapping[str, Any]) -> PolicyAssignment:
    """An assignment of its document.

    Raises:
        ValueError: it has no id, or names no definition.
    """
    assignment_id, properties = _id(document), member(document, "properties")
    definition_id = text_of(properties.get("policyDefinitionId"))
    if definition_id is None:
        raise ValueError("it names no definition")
    identity = member(document, "identity")
    return PolicyAssignment(
        id=assignment_id,
        name=text_of(properties.get("displayName")) or assignment_id.rsplit("/", 1)[-1],
        scope=text_of(properties.get("scope")) or _scope_of(assignment_id),
        definition_id=definition_id,
        parameters=_values(properties),
        not_scopes=_texts(properties.get("notScopes")),
        enforcement=text_of(properties.get("enforcementMode")) or "Default",
        selectors=tuple(_objects(properties.get("resourceSelectors"))),
        overrides=tuple(_objects(properties.get("overrides"))),
        principal_id=text_of(identity.get("principalId")),
        identity_type=text_of(identity.get("type")) or "None",
        location=text_of(document.get("location")),
    )


def exemption_of(document: Mapping[str, Any]) -> PolicyExemption:
    """An exemption of its document.

    Raises:
        ValueError: it has no id, names no assignment, or its end is no date.
    """
    exemption_id, properties = _id(document), member(document, "properties")
    assignment_id = text_of(properties.get("policyAssignmentId"))
    if assignment_id is None:
        raise ValueError("it names no assignment")
    ends = text_of(properties.get("expiresOn"))
    expires_on = datetime.fromisoformat(ends) if ends else None
    if expires_on is not None and expires_on.tzinfo is None:
        raise ValueError("expiresOn has no time zone")
    return PolicyExemption(
        id=exemption_id,
        scope=_scope_of(exemption_id),
        assignment_id=assignment_id,
        reference_ids=_texts(properties.get("policyDefinitionReferenceIds")),
        category=text_of(properties.get("exemptionCategory")) or "Waiver",
        expires_on=expires_on,
        selectors=tuple(_objects(properties.get("resourceSelectors"))),
    )


def task_of(remediation_id: str, document: Mapping[str, Any]) -> RemediationTask:
    """A remediation task of its document; figures that it does not state are 0."""
    properties = member(document, "properties")
    status = member(properties, "deploymentStatus")
    total, succeeded, failed = (
        found if isinstance(found := status.get(f"{name}Deployments"), int) else 0
        for name in ("total", "successful", "failed")
    )
    state, message = (text_of(properties.get(name)) or "" for name in ("provisioningState", "statusMessage"))
    return RemediationTask(remediation_id, state, total, succeeded, failed, message)


def machine_of(entry: Mapping[str, Any]) -> RemediatedMachine:
    """What a task did about one machine; of nested errors the innermost, which says the cause."""
    error = member(entry, "error")
    while details := _objects(error.get("details")):
        error = details[0]
    named = text_of(entry.get("remediatedResourceId")) or ""
    code, message = (text_of(error.get(name)) or "" for name in ("code", "message"))
    return RemediatedMachine(named, text_of(entry.get("status")) or "", code, message)


def _id(document: Mapping[str, Any]) -> str:
    found = text_of(document.get("id"))
    if found is None:
        raise ValueError("it has no id")
    return found


def _scope_of(policy_id: str) -> str:
    """The place of an assignment or exemption: its id without the provider's part at the end."""
    at = policy_id.lower().rfind(_PROVIDER.lower())
    return policy_id[:at] if at >= 0 else policy_id


def _subscription_of(resource_id: str) -> str | None:
    parts = resource_id.strip("/").split("/")
    return parts[1].lower() if len(parts) > 1 and parts[0].lower() == "subscriptions" else None


def _parameters(properties: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name: one for name, one in member(properties, "parameters").items() if isinstance(one, Mapping)}


def _values(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Parameter values: each is an object with `value`."""
    found = member(holder, "parameters")
    return {name: one["value"] for name, one in found.items() if isinstance(one, Mapping) and "value" in one}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
