"""Doctor's answer, for people and as JSON.

Must not: call something fine that could not be looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from patchmode.model.identity import Principals
from patchmode.model.report import NEEDED_NAMESPACES, Diagnosis, SubscriptionCheck
from patchmode.reports.columns import wrapped
from patchmode.reports.headings import plural
from patchmode.reports.paint import Paint, printable

_MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/"
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
    yield ""
    if diagnosis.unreadable:
        yield paint("bad", f"Could not be looked at ({len(diagnosis.unreadable):,}):")
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
        yield from _check(check, paint)
    yield from _verdict(diagnosis, paint)


def _called(place: str) -> str:
    name = place.removeprefix(_MANAGEMENT_GROUP)
    return place if name == place else f"management group {printable(name)}"


def _check(check: SubscriptionCheck, paint: Paint) -> Iterator[str]:
    subscription = check.subscription
    fine = not (check.missing or check.locks or check.notes or check.unregistered)
    mark = paint("good", "ok") if fine else paint("bad", "!!")
    yield f"{mark}  {paint('strong', printable(subscription.name))}  {subscription.id}  {subscription.state}"
    if check.identities:
        yield from wrapped(f"seen by {', '.join(check.identities)}", paint=paint, indent=6, hang=14)
    for action in check.missing:
        whose = f"missing for {action.identity}: " if action.identity else "missing: "
        yield from wrapped(f"{whose}{action.action} - {action.needed_for}", paint=paint, indent=6, hang=15)
    for name, state in check.registrations.items():
        if name in check.unregistered:
            yield from wrapped(f"not registered: {name} ({state})", paint=paint, indent=6, hang=8)
            yield from wrapped(f"→ az provider register --namespace {name}", paint=paint, indent=8, hang=10)
        elif name in NEEDED_NAMESPACES and state.casefold() != "registered":
            yield f"      {name}: {state}"
    for lock in check.locks:
        yield from wrapped(f"read-only lock {lock.name!r} at {lock.scope}", paint=paint, indent=6, hang=8)
    for lock in check.harmless_locks:
        text = f"{lock.level} lock {lock.name!r} at {lock.scope}: does not stand in the way"
        for line in wrapped(text, paint=paint, indent=6, hang=8):
            yield paint("dim", line)
    for note in check.notes:
        yield from wrapped(note, paint=paint, indent=6, hang=8)


def _verdict(diagnosis: Diagnosis, paint: Paint) -> Iterator[str]:
    yield ""
    missing: dict[str, int] = defaultdict(int)
    for check in diagnosis.subscriptions:
        for action in check.missing:
            missing[action.action] += 1
    if missing:
        text = f"{plural(len(missing), 'action')} missing. `patchmode doctor --role-json` prints a role that is enough."
        for line in wrapped(text, paint=paint):
            yield paint("bad", line)
    elif diagnosis.has_findings:
        yield paint("warn", "See the marks above.")
    else:
        count = plural(len(diagnosis.subscriptions), "subscription")
        yield paint("good", f"Nothing is missing to audit, plan, apply, verify and roll back in {count}.")


def diagnosis_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Doctor's answer as JSON values."""
    target = diagnosis.target
    named = {name: dict(one) for name, one in diagnosis.principals.items() if name}
    return {
        "format": "patchmode/doctor/v1",
        "target": {"cloud": target.cloud, "endpoint": target.endpoint, "tenantId": target.tenant_id},
        "principal": dict(next(iter(diagnosis.principals.values()), {})),
        "resourceGraph": diagnosis.graph,
        "subscriptions": [subscription_row(check) for check in diagnosis.subscriptions],
        "unreadable": [{"id": entry.id, "reason": entry.reason} for entry in diagnosis.unreadable],
        **({"identities": named} if named else {}),
    }


def subscription_row(check: SubscriptionCheck) -> dict[str, Any]:
    """One subscription as it stands in `subscriptions`."""
    return {
        "id": check.subscription.id,
        "name": check.subscription.name,
        "state": check.subscription.state,
        "registrations": dict(check.registrations),
        "missingActions": [
            {
                "scope": one.scope,
                "action": one.action,
                "neededFor": one.needed_for,
                **({"identity": one.identity} if one.identity else {}),
            }
            for one in check.missing
        ],
        "readOnlyLocks": [{"name": lock.name, "scope": lock.scope} for lock in check.locks],
        "otherLocks": [{"name": lock.name, "scope": lock.scope, "level": lock.level} for lock in check.harmless_locks],
        "notes": list(check.notes),
        **({"identities": list(check.identities)} if check.identities else {}),
    }
