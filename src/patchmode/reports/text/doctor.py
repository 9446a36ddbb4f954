"""Doctor's answer, for people.

Must not: call something fine that could not be looked at.
"""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from patchmode.model.access import SETTINGS_ACTIONS, AccessCheck, MissingAction, Principals
from patchmode.model.plain_text import cells_wide, printable
from patchmode.model.report import NEEDED_NAMESPACES, Diagnosis, SubscriptionCheck
from patchmode.model.resource_id import subscription_of
from patchmode.model.scope import scope_text
from patchmode.model.target import SubscriptionNames
from patchmode.reports.names import MachineNames
from patchmode.reports.text.layout import Paint, plural, some, wrapped

_MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/"
_MOST_GRANTS = 3
_SUBSCRIPTION_SLASHES = 2
_NO_DELETION = (
    "does not block changes of settings; blocks detaching schedules, and the rollback of a run that attached one"
)
_LIFT_FIRST = (
    "Before you detach a schedule there or roll back such a run, have its owner remove the lock for that time."
)
_IDENTITY = ("upn", "preferred_username", "unique_name", "name", "appid", "oid")


def identity(principal: Mapping[str, str]) -> str:
    """Who is signed in, by the most telling of the token's claims."""
    told = next((principal[name] for name in _IDENTITY if principal.get(name)), "unknown")
    return printable(f"{told} (object id {principal['oid']})" if principal.get("oid") not in {None, told} else told)


def identities(principals: Principals) -> str:
    """Everybody who is signed in, by name where there are several."""
    return "; ".join(f"{name}: {identity(one)}" if name else identity(one) for name, one in principals.items())


def diagnosis_lines(diagnosis: Diagnosis, *, paint: Paint) -> Iterator[str]:
    """The lines of doctor's answer, without line feeds."""
    yield from wrapped(f"Signed in as    {identities(diagnosis.principals)}", paint=paint, hang=16)
    yield from wrapped(f"Cloud           {diagnosis.target.cloud} ({diagnosis.target.endpoint})", paint=paint, hang=16)
    yield f"Tenant          {diagnosis.target.tenant_id}"
    graph = diagnosis.graph == "answers"
    yield from wrapped(
        f"Resource Graph  {diagnosis.graph if graph else diagnosis.graph + ' - the providers are listed instead'}",
        paint=paint,
        hang=16,
    )
    if diagnosis.scope:
        yield from wrapped(f"Scope           {printable(scope_text(diagnosis.scope))}", paint=paint, hang=16)
    yield ""
    if diagnosis.unreadable:
        yield paint("bad", f"Could not be checked ({len(diagnosis.unreadable):,}):")
        for entry in diagnosis.unreadable:
            reason = f"{entry.reason[:1].lower()}{entry.reason[1:]}"
            yield from wrapped(f"{_called(entry.id)}: {reason}", paint=paint, indent=2, hang=4)
        yield ""
        if not diagnosis.subscriptions:
            advice = "Check the names; `patchmode doctor` alone lists the subscriptions that you can see."
            yield from wrapped(f"→ {advice}", paint=paint, indent=2, hang=4)
            return
    if not diagnosis.subscriptions:
        yield paint("bad", "You can see no subscription.")
        yield from wrapped("→ Ask for the Reader role, or sign in to another tenant.", paint=paint, indent=2, hang=4)
        return
    for check in diagnosis.subscriptions:
        yield from _check(check, diagnosis.principals, paint)
    for note in diagnosis.notes:
        yield from wrapped(f"Note: {note}", paint=paint, hang=6)
    yield from _settings(diagnosis, paint)
    yield from _verdict(diagnosis, paint)


def _settings(diagnosis: Diagnosis, paint: Paint) -> Iterator[str]:
    """Where each default comes from, those that something sets first of all to be seen."""
    if not diagnosis.settings:
        return
    yield ""
    yield from wrapped(f"Config file     {printable(diagnosis.config_file)}", paint=paint, hang=16)
    for one in (*diagnosis.settings, *diagnosis.network):
        is_set = one.source != "default"
        text = f"{one.setting:<17}  {printable(one.value)}  ({printable(one.source)})"
        for line in wrapped(text, paint=paint, indent=2, hang=21):
            yield line if is_set else paint("dim", line)
    if diagnosis.az_subscription:
        text = f"Chosen in az    {printable(diagnosis.az_subscription)}; a command takes it only where -s names it"
        yield from wrapped(text, paint=paint, hang=16)


def _is_marked(check: SubscriptionCheck) -> bool:
    return bool(check.missing or check.locks or check.notes or check.unregistered)


def _called(place: str) -> str:
    name = place.removeprefix(_MANAGEMENT_GROUP)
    return place if name == place else f"management group {printable(name)}"


def _check(check: SubscriptionCheck, principals: Principals, paint: Paint) -> Iterator[str]:
    subscription = check.subscription
    mark = paint("bad", "!!") if _is_marked(check) else paint("good", "ok")
    name, place = printable(subscription.name), f"{subscription.id}  {subscription.state}"
    if paint.width is not None and cells_wide(f"{name}  {place}") + 4 > paint.width:
        yield f"{mark}  {paint('strong', name)}"
        yield f"    {place}"
    else:
        yield f"{mark}  {paint('strong', name)}  {place}"
    if check.owner:
        text = f"delegated by tenant {check.owner}, through Azure Lighthouse"
        yield from wrapped(text, paint=paint, indent=6, hang=8)
    if check.identities:
        yield from wrapped(f"seen by {', '.join(check.identities)}", paint=paint, indent=6, hang=14)
    yield from _missing(check, principals, paint)
    for name, state in check.registrations.items():
        if name in check.unregistered:
            yield from wrapped(f"not registered: {name} ({state})", paint=paint, indent=6, hang=8)
            yield f"        → az provider register --namespace {name} --subscription {subscription.id}"
        elif name in NEEDED_NAMESPACES and state.casefold() != "registered":
            yield f"      {name}: {state}"
    for lock in check.locks:
        yield from wrapped(f"read-only lock {lock.name!r} at {lock.scope}", paint=paint, indent=6, hang=8)
    for lock in check.harmless_locks:
        text = f"{lock.level} lock {lock.name!r} at {lock.scope}: {_NO_DELETION}"
        yield from wrapped(text, paint=paint, indent=6, hang=8)
        yield from wrapped(f"→ {_LIFT_FIRST}", paint=paint, indent=8, hang=10)
    for note in check.notes:
        yield from wrapped(note, paint=paint, indent=6, hang=8)


def _missing(check: SubscriptionCheck, principals: Principals, paint: Paint) -> Iterator[str]:
    yield from _changeable(check, paint)
    for same in _alike(check.missing):
        whose = f" for {same[0].identity}" if same[0].identity else ""
        text = f"missing{whose}{_where(same)}: {same[0].action} - {same[0].needed_for}"
        yield from wrapped(text, paint=paint, indent=6, hang=15)
    for command in grants(check.missing, principals):
        yield f"        → {command}"
    for sentence in delegations(check.missing, principals):
        yield from wrapped(f"→ {sentence}", paint=paint, indent=8, hang=10)


def _changeable(check: SubscriptionCheck, paint: Paint) -> Iterator[str]:
    """How many of the machines asked about may be changed; nothing where the subscription's roles allow everything."""
    if not check.machines:
        return
    refused = {one for lack in check.missing if lack.action in SETTINGS_ACTIONS for one in lack.machines}
    may = sum(one.id not in refused for one in check.machines)
    text = f"you may change the settings of {may:,} of {plural(len(check.machines), 'machine')} here"
    yield from wrapped(text, paint=paint, indent=6, hang=8)


def _alike(missing: Sequence[MissingAction]) -> list[list[MissingAction]]:
    """What is missing, each action of each identity once, with all scopes where it is, in the order first told."""
    found: dict[tuple[str, str, bool], list[MissingAction]] = defaultdict(list)
    for one in missing:
        found[one.action, one.identity, bool(one.machines)].append(one)
    return list(found.values())


def _where(same: Sequence[MissingAction]) -> str:
    """The scopes of one missing action, as a clause; empty: it is the subscription itself, named above."""
    machines = sum(len(one.machines) for one in same)
    if not machines or same[0].scope.count("/") == _SUBSCRIPTION_SLASHES:
        return ""
    # A group's name does not tell which of two subscriptions it stands in.
    is_one = len({subscription_of(one.scope) for one in same}) == 1
    scopes = [_short_scope(one.scope) if is_one else printable(one.scope) for one in same]
    return f" in {some(scopes)} ({plural(machines, 'machine')})"


def _short_scope(scope: str) -> str:
    return printable(scope.rsplit("/", 1)[-1])


def grants(missing: Sequence[MissingAction], principals: Principals) -> list[str]:
    """The commands that grant what is missing of roles that write, one for each identity, role and scope.

    Nothing of delegated subscriptions, where nobody of this tenant can; see `delegations`.

    Args:
        missing: each with its machines; what is missing without any is left to the custom role.
        principals: whose object ids are named.

    Returns:
        Where more than three groups of a subscription lack the same, the command names the subscription instead.
    """
    return [
        f"az role assignment create --assignee {shlex.quote(_assignee(principals, identity))} "
        f"--role {shlex.quote(role)} --scope {shlex.quote(scope)}"
        for identity, role, scope in _grants(one for one in missing if not one.owner)
    ]


def delegations(missing: Sequence[MissingAction], principals: Principals) -> list[str]:
    """What the owners of delegated subscriptions would have to delegate, a sentence each; the arguments as of `grants`.

    Source: Microsoft, "Tenants, users, and roles in Azure Lighthouse scenarios": an authorization names a principal of
    the managing tenant and a built-in role; roles that assign roles are not supported.
    """
    return [
        f"Ask tenant {owner} to delegate the role {role!r} on {scope} to object id {_assignee(principals, identity)} "
        "(Azure Lighthouse)."
        for owner in dict.fromkeys(one.owner for one in missing if one.owner)
        for identity, role, scope in _grants(one for one in missing if one.owner == owner)
    ]


def _grants(missing: Iterable[MissingAction]) -> Iterator[tuple[str, str, str]]:
    """Identity, role and scope of each role that is missing on machines."""
    scopes: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for one in missing:
        if one.role and one.machines:
            subscription = "/".join(one.scope.split("/")[:3])
            scopes[one.identity, one.role, subscription][one.scope] = None
    for (identity, role, subscription), places in scopes.items():
        for scope in places if len(places) <= _MOST_GRANTS else (subscription,):
            yield identity, role, scope


def _assignee(principals: Principals, identity: str) -> str:
    claims = principals.get(identity, {})
    return next((claims[name] for name in ("oid", "appid", "upn") if claims.get(name)), "OBJECT-ID")


def access_lines(check: AccessCheck, principals: Principals, *, paint: Paint) -> Iterator[str]:
    """What may not be done of a plan, before the question; nothing where everything may.

    Args:
        check: of the plan.
        principals: who is signed in.
        paint: colours and width.
    """
    refused = check.refused
    if refused:
        may = check.machines - len(refused)
        told = f"You may apply it to {may:,} of {plural(check.machines, 'machine')}. No role of yours allows:"
        yield from (paint("bad", line) for line in wrapped(told, paint=paint, hang=4))
        for same in _alike(check.missing):
            whose = f" ({same[0].identity})" if same[0].identity else ""
            text = f"{same[0].action}{whose}, {same[0].needed_for},{_where(same)}"
            yield from wrapped(text, paint=paint, indent=4, hang=6)
        for command in grants(check.missing, principals):
            yield f"    → {command}"
        for sentence in delegations(check.missing, principals):
            yield from wrapped(f"→ {sentence}", paint=paint, indent=4, hang=6)
    for one in check.unknown:
        where = f"{printable(one.scope)} ({plural(len(one.machines), 'machine')})"
        text = f"Permissions on {where} are not known: {one.reason}"
        yield from (paint("warn", line) for line in wrapped(text, paint=paint, hang=4))


def _verdict(diagnosis: Diagnosis, paint: Paint) -> Iterator[str]:
    yield ""
    missing: dict[str, int] = defaultdict(int)
    for check in diagnosis.subscriptions:
        for action in check.missing:
            missing[action.action] += 1
    if missing:
        text = f"{plural(len(missing), 'action')} missing. `patchmode doctor --role-json` prints a role that is enough."
        if any(check.owner and check.missing for check in diagnosis.subscriptions):
            text += " Azure Lighthouse delegates built-in roles only."
        for line in wrapped(text, paint=paint):
            yield paint("bad", line)
    elif diagnosis.has_findings:
        names = _names(diagnosis)
        marked = [names.subscription(one.subscription.id) for one in diagnosis.subscriptions if _is_marked(one)]
        yield from (paint("warn", line) for line in wrapped(f"Needs attention: {some(marked)}.", paint=paint, hang=4))
    else:
        count = plural(len(diagnosis.subscriptions), "subscription")
        where = f"this scope, which is in {count}" if diagnosis.scope else count
        text = f"Nothing is missing to audit, plan, apply, verify and roll back in {where}."
        if any(check.harmless_locks for check in diagnosis.subscriptions):
            text += " But schedules below a CanNotDelete lock cannot be detached, not by rollback either."
        yield from (paint("good", line) for line in wrapped(text, paint=paint, hang=4))


def _names(diagnosis: Diagnosis) -> MachineNames:
    """What the subscriptions are called: by name, and by name and id where two bear one."""
    seen = [(one.subscription.id, one.subscription.name) for one in diagnosis.subscriptions]
    names = SubscriptionNames.of(seen).joined(diagnosis.target.names)
    return MachineNames.of(replace(diagnosis.target, names=names), (one for one, _ in seen))
