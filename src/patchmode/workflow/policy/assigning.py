"""Assigning a built-in: looked at first, then written in an order in which nothing is changed too early, and read back.

Must not: start a remediation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from patchmode.errors import EmptyScopeError, MaybeAppliedError, RefusedError, RejectedError, UsageError
from patchmode.model.finding import Severity
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.policy import (
    AssignDraft,
    AssignResult,
    BuiltIn,
    ExemptMachine,
    PolicyAssignment,
    PolicyAssignReport,
    PolicyExemption,
    PolicyVerdict,
    PolicyWish,
    RoleGrant,
)
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import Difference
from patchmode.model.scope import Scope
from patchmode.ports.azure import Clock
from patchmode.ports.policy import PolicyAzure
from patchmode.rules.eligibility.judgement import audit_machine
from patchmode.rules.policy.assigning import (
    REFUSED_TO_ALL,
    UNWRITABLE,
    body_of,
    differences,
    exemption_of,
    grants_of,
    is_half_written,
    name_problem,
    parameters_of,
    silenced,
    undo_commands,
)
from patchmode.rules.policy.coverage import Ground, Use, judge
from patchmode.rules.policy.selection import Prepared
from patchmode.workflow.inventory.audit import DEFAULT_WANTED
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.suggestions import why_no_group
from patchmode.workflow.policy.auditing import Attached, attached_schedules, related_of

_EXEMPTIONS = "/providers/Microsoft.Authorization/policyExemptions/"


async def draft_assignment(azure: PolicyAzure, wish: PolicyWish, scope: Scope, *, clock: Clock) -> AssignDraft:
    """Check a wish, compare it with what is there, and work out what it would do.

    Args:
        azure: a connection; reading is enough.
        wish: as the user gave it.
        scope: the machines at its scope.
        clock: for exemptions that expire.

    Raises:
        UsageError: the name or a parameter is wrong, or an exempt machine is not in scope. RefusedError: another
            assignment of that name is there. RequestError: something could not be read.
    """
    if (problem := name_problem(wish)) is not None:
        raise UsageError(f"--name {wish.name!r}: {problem}")
    definition = await azure.policies.definition(wish.policy.definition_id)
    parameters, problems = parameters_of(definition, wish.parameters)
    if problems:
        raise UsageError(" ".join(problems), advice="Correct it and repeat the command. Nothing was sent.")
    body = body_of(wish, definition, parameters)
    standing = await azure.policies.assignment(wish.id)
    before = differences(body, standing) if standing is not None else ()
    if standing is not None and before and not (wish.replace or is_half_written(standing, before)):
        told = "; ".join(f"{one.path} is {one.found}, not {one.expected}" for one in before[:3])
        raise RefusedError(
            f"An assignment {wish.id} exists already, and differs: {told}.",
            advice="Give it another name, or --replace to overwrite it.",
        )
    machines, unreadable = await _machines(azure, scope)
    look = _Look(wish, Prepared.of(definition), parameters, await _attached(azure, wish, machines), clock)
    exempt, unwritable = await _exempt(azure, look, machines)
    verdicts = tuple(look.judged(machine, exempt) for machine in machines)
    principal = _principal(standing) if not _remakes_identity(before) else None
    needed = grants_of(wish, definition, parameters)
    held = await _held(azure, needed, principal)
    return AssignDraft(
        wish=wish,
        definition=definition,
        body=body,
        standing=standing,
        before=before,
        missing_roles=tuple(one for one in needed if one not in held),
        verdicts=verdicts,
        exempt=exempt,
        unwritable=unwritable,
        unreadable=unreadable,
    )


async def assign(azure: PolicyAzure, drafted: AssignDraft) -> PolicyAssignReport:
    """Write what was drafted, and read it back.

    Where machines are exempt, the assignment is written with DoNotEnforce first, then the exemptions, and only then as
    it is to be: at no moment does it act on a machine that it shall leave out.

    Args:
        azure: a connection; one that may write, unless nothing is to be changed.
        drafted: as `draft_assignment` made it.

    Raises:
        RejectedError: Azure refused a part of it; the message says what was written before. MaybeAppliedError: an
            answer was lost, and a read does not show what was sent. NotSentError.
    """
    wish, done = drafted.wish, _Done()
    is_changed = drafted.standing is None or bool(drafted.before)
    missing = [one for one in drafted.exempt if not one.is_there]
    try:
        if is_changed and missing:
            await _put(azure, wish, silenced(drafted.body))
            done.assignment = True
        for one in missing:
            await _put_exemption(azure, wish, one, done)
        if is_changed:
            await _put(azure, wish, drafted.body)
            done.assignment = True
        document = await azure.policies.assignment(wish.id) or {}
        principal = _principal(document)
        for role in drafted.missing_roles if principal else ():
            await azure.policy_writer.grant(role.scope, role.role, principal or "")
            done.roles.append(role)
    except (RejectedError, MaybeAppliedError) as error:
        told = done.told()
        error.message = f"{error.message} Written before: {told}." if told else error.message
        if told or isinstance(error, MaybeAppliedError):  # otherwise the command that was refused would be again
            error.advice = f"{error.advice} Then the same command completes it; it repeats nothing.".lstrip()
        raise
    return await _read_back(azure, drafted, document, done, is_changed=is_changed)


class _Done:
    """What was written so far."""

    def __init__(self) -> None:
        self.assignment = False
        self.exemptions: list[str] = []
        self.refused: list[ExemptMachine] = []
        self.roles: list[RoleGrant] = []

    def told(self) -> str:
        """In words; empty: nothing."""
        parts = ["the assignment"] if self.assignment else []
        parts += [f"{len(self.exemptions)} exemptions"] if self.exemptions else []
        parts += [f"{len(self.roles)} roles of its identity"] if self.roles else []
        return ", ".join(parts)


async def _put(azure: PolicyAzure, wish: PolicyWish, body: Mapping[str, Any]) -> None:
    try:
        await azure.policy_writer.put_assignment(wish.id, body)
    except MaybeAppliedError:
        found = await azure.policies.assignment(wish.id)
        if found is None or differences(body, found):
            raise


async def _put_exemption(azure: PolicyAzure, wish: PolicyWish, one: ExemptMachine, done: "_Done") -> None:
    """Make one exemption. A lock or a deny assignment that refuses it is a value: it refuses the policy as well."""
    name = _exemption_id(one.id, wish)
    try:
        await azure.policy_writer.put_exemption(name, exemption_of(wish.id, f"{one.rule}: {one.reason}"))
    except RejectedError as error:
        if error.code.casefold() not in REFUSED_TO_ALL:
            raise
        done.refused.append(one)
    else:
        done.exemptions.append(name)


async def _read_back(
    azure: PolicyAzure, drafted: AssignDraft, document: Mapping[str, Any], done: _Done, *, is_changed: bool
) -> PolicyAssignReport:
    wish, principal = drafted.wish, _principal(document)
    found = list(differences(drafted.body, document))
    needed = [*(RoleGrant(wish.scope, role) for role in wish.roles), *done.roles]
    granted = await _held(azure, needed, principal)
    lacking = [one for one in dict.fromkeys(needed) if one not in granted]
    found += [Difference(f"role {one.role} at {one.scope}", '"assigned"', "(absent)") for one in lacking]
    held = sorted(one.role for one in granted if one.scope == wish.scope)
    exempt = tuple(one for one in drafted.exempt if one not in done.refused)
    there = await _exemptions(azure, wish, {one.id.subscription_id for one in exempt})
    missing = [one for one in exempt if one.id.key not in there]
    found += [Difference(f"exemption of {one.id}", '"there"', "(absent)") for one in missing]
    wrote = bool(is_changed or done.exemptions or done.roles)
    undo = list(
        undo_commands(
            wish, before=drafted.standing, exemptions=done.exemptions, roles=done.roles, principal=principal or ""
        )
    )
    return PolicyAssignReport(
        target=azure.target,
        id=wish.id,
        result=_result(drafted, is_changed=is_changed, wrote=wrote),
        principal_id=principal,
        roles=tuple(held),
        exempt=exempt,
        not_exempt=(*drafted.unwritable, *done.refused),
        changed_later=drafted.changed_later,
        differences=tuple(found),
        # Where only parts were added, the assignment itself stays as it was.
        undo=tuple(undo if is_changed else undo[:-1]),
    )


def _result(drafted: AssignDraft, *, is_changed: bool, wrote: bool) -> AssignResult:
    if is_changed:
        return "created" if drafted.standing is None else "replaced"
    return "completed" if wrote else "unchanged"


async def _held(azure: PolicyAzure, needed: Sequence[RoleGrant], principal: str | None) -> set[RoleGrant]:
    """Which roles the identity has at the places where it needs some; none where there is no identity yet."""
    scopes = dict.fromkeys(one.scope for one in needed) if principal else {}
    return {
        RoleGrant(scope, role) for scope in scopes for role in await azure.policies.roles_of(scope, principal or "")
    }


async def _machines(azure: PolicyAzure, scope: Scope) -> tuple[tuple[Machine, ...], int]:
    """The machines at the scope; none is no mistake: an assignment is for those that are created later, too.

    Raises:
        UsageError: there is no such resource group; or nothing at the scope can be read, and whether there is such a
            place is not known.
    """
    try:
        inventory = await take_inventory(azure, scope, documents=True)
    except EmptyScopeError:
        for _, _, subscription_id, _, name in (group.split("/") for group in scope.resource_groups):
            if why := await why_no_group(azure, subscription_id.lower(), name):
                raise UsageError(f"Nothing can be assigned at resource group {name}: {why}") from None
        return (), 0
    if not inventory.machines and inventory.unreadable:
        raise UsageError(
            f"{inventory.unreadable[0].id}: {inventory.unreadable[0].reason}",
            advice="Name another place. Nothing was sent.",
        )
    return inventory.machines, len(inventory.unreadable)


@dataclass(frozen=True, slots=True)
class _Look:
    """How the assignment would look at machines."""

    wish: PolicyWish
    prepared: Prepared
    parameters: Mapping[str, Any]
    attached: Attached | None
    clock: Clock

    def judged(self, machine: Machine, exempt: Sequence[ExemptMachine] = ()) -> PolicyVerdict:
        """What it would do about a machine."""
        wish = self.wish
        assignment = PolicyAssignment(
            id=wish.id,
            name=wish.name,
            scope=wish.scope,
            definition_id=wish.policy.definition_id,
            parameters=self.parameters,
            identity_type="SystemAssigned",
        )
        exemptions = tuple(PolicyExemption(_exemption_id(one.id, wish), str(one.id), wish.id) for one in exempt)
        ground = Ground((Use(assignment, None, self.parameters),), exemptions)
        related = related_of(machine, self.attached)
        return judge(wish.policy, self.prepared, machine, ground, related=related, now=self.clock.now())


async def _attached(azure: PolicyAzure, wish: PolicyWish, machines: Sequence[Machine]) -> Attached | None:
    if wish.policy is not BuiltIn.RECURRING_UPDATES:
        return None
    return (await attached_schedules(azure, sorted({machine.id.subscription_id for machine in machines})))[0]


Exempt = tuple[ExemptMachine, ...]


async def _exempt(azure: PolicyAzure, look: _Look, machines: Sequence[Machine]) -> tuple[Exempt, Exempt]:
    """The machines to leave out, and those that refuse an exemption as they refuse the policy's change."""
    wish, known = look.wish, {machine.id.key: machine for machine in machines}
    reasons: dict[str, tuple[str, str]] = {}
    for text in wish.exempt:
        key = text.strip().rstrip("/").casefold()
        if key not in known:
            raise UsageError(f"--exempt {text}: the assignment's scope has no such machine, or it cannot be read.")
        reasons[key] = "named", "Named by hand."
    for machine in machines if wish.exempt_blocked else ():
        # What the definition does not select needs no exemption.
        blocking = _blocking(machine, wish.policy) if look.judged(machine).selected is not False else None
        if blocking is not None:
            reasons.setdefault(machine.id.key, blocking)
    there = await _exemptions(azure, wish, {known[key].id.subscription_id for key in reasons})
    every = [ExemptMachine(known[key].id, *reasons[key], is_there=key in there) for key in sorted(reasons)]
    kept = tuple(one for one in every if one.is_there or one.rule not in UNWRITABLE)
    return kept, tuple(one for one in every if one not in kept)


def _blocking(machine: Machine, policy: BuiltIn) -> tuple[str, str] | None:
    """The rule that keeps patchmode from setting a machine what the policy would set, and its message."""
    is_assessment = policy is BuiltIn.PERIODIC_ASSESSMENT
    wanted = WantedSettings(periodic_assessment=True) if is_assessment else DEFAULT_WANTED
    found = [one for one in audit_machine(machine, wanted).reasons if one.severity is Severity.BLOCKS]
    return (found[0].rule, found[0].message) if found else None


async def _exemptions(azure: PolicyAzure, wish: PolicyWish, subscriptions: set[str]) -> set[str]:
    """Keys of the machines that have an exemption of this assignment."""
    found: set[str] = set()
    for one in sorted(subscriptions):
        for entry in await azure.policies.exemptions(one):
            if isinstance(entry, PolicyExemption) and entry.assignment_id.lower() == wish.id.lower():
                found.add(entry.scope.casefold())
    return found


def _exemption_id(machine: ResourceId, wish: PolicyWish) -> str:
    return f"{machine}{_EXEMPTIONS}{wish.name}"


def _principal(document: Mapping[str, Any] | None) -> str | None:
    identity = (document or {}).get("identity")
    found = identity.get("principalId") if isinstance(identity, Mapping) else None
    return found if isinstance(found, str) and found else None


def _remakes_identity(before: Sequence[Difference]) -> bool:
    return any(one.path == "identity.type" for one in before)
