"""`patchmode policy assign`. Must not: write over an assignment unless told to, or start a remediation."""

import re
from typing import TYPE_CHECKING, Any

import click

from patchmode.cli import exits
from patchmode.cli.choices import GROUP, SUBSCRIPTION, Fixed
from patchmode.cli.group import Command
from patchmode.cli.settings import settings_of
from patchmode.errors import UsageError
from patchmode.model.policy import BuiltIn

if TYPE_CHECKING:
    from patchmode.model.policy import AssignDraft, PolicyAssignReport, PolicyWish
    from patchmode.model.scope import Scope
    from patchmode.ports.policy import PolicyAzure

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP_ID = re.compile(r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+", re.IGNORECASE)
_NAMES = {
    BuiltIn.PREREQUISITE: "patchmode-prerequisite",
    BuiltIn.PERIODIC_ASSESSMENT: "patchmode-assessment",
    BuiltIn.RECURRING_UPDATES: "patchmode-recurring",
}
"""Fit for a management group too, where Azure takes 24 characters."""
_MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/"


@click.command(cls=Command, name="assign")
@click.argument("policy", metavar="POLICY", type=Fixed([one.value for one in BuiltIn]))
@click.option("-s", "--subscription", "place", type=SUBSCRIPTION, metavar="ID|NAME", help="At this subscription.")
@click.option(
    "-g", "--resource-group", "group", type=GROUP, metavar="NAME|ID", help="At this resource group; NAME with -s."
)
@click.option("-m", "--management-group", "above", metavar="NAME", help="At this management group.")
@click.option(
    "--location", "region", required=True, metavar="REGION", help="Of its managed identity; machines may be in any."
)
@click.option("--name", metavar="NAME", help="Of the assignment (default: patchmode-prerequisite, …).")
@click.option(
    "--param",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the definition; repeatable. VALUE: text, entries between commas, or JSON.",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="NAME|GUID",
    help="A role for its identity; repeatable (default: the one with the fewest rights).",
)
@click.option("--exempt", multiple=True, metavar="ID", help="A machine to leave out, by an exemption; repeatable.")
@click.option("--exempt-blocked", is_flag=True, help="Leave out the machines that a rule of patchmode blocks.")
@click.option("--replace", is_flag=True, help="Replace an assignment of that name that differs.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, /, *, yes: bool, **options: Any) -> exits.Exit:
    """Assign a built-in with a managed identity, its roles and exemptions, and read it back.

    The command shows what will be sent and what the assignment would do about each machine in its scope, and asks.
    Existing machines are not changed by an assignment alone: that needs `policy remediate`, or a write to the machine.
    Safe to repeat: what is there already is not written again.
    """
    from patchmode.cli.confirming import tell_banner
    from patchmode.cli.output import Result, emit, say_lines
    from patchmode.cli.schedules.attaching import ask_for_count, previewed, show, written
    from patchmode.documents.policy import POLICY_ASSIGN_COLUMNS, policy_assign_document
    from patchmode.reports.names import MachineNames
    from patchmode.reports.text.policy import place_text
    from patchmode.reports.text.policy_assigning import assign_lines, draft_lines

    settings = settings_of(context)
    _check_scope(options)
    drafted, principals, target = previewed(lambda azure: _drafted(azure, options), settings)
    wish = drafted.wish
    tell_banner(principals, target, settings)
    if not drafted.is_unchanged:
        show(lambda paint: draft_lines(drafted, target, paint=paint), settings)
        names = MachineNames.of(target, [one.id for one in drafted.verdicts] + [wish.scope])
        verb = "Assign" if drafted.standing is None else "Write"
        question = f"{verb} {wish.name} at {place_text(wish.scope, names)}?"
        what = f"covers {drafted.changed_later:,} machines that a remediation task would change"
        ask_for_count(question, drafted.changed_later, what, yes=yes)
    there = str((drafted.standing or {}).get("location") or "")
    if drafted.is_unchanged and there.lower() != drafted.body["location"]:
        # The region of an identity changes nothing that the assignment does.
        say_lines([f"! The assignment is in {there}, and not in {wish.location}; it is left there."], settings)
    report = written(lambda azure: _assigned(azure, drafted), settings, is_unchanged=drafted.is_unchanged)
    document = policy_assign_document(report)
    emit(
        Result(
            document=document,
            lines=lambda paint: assign_lines(report, paint=paint),
            rows=lambda: [document],
            columns=POLICY_ASSIGN_COLUMNS,
        ),
        settings,
    )
    if report.undo and not settings.quiet:
        say_lines(["To undo it:", *(f"  {line}" for line in report.undo)], settings)
    return exits.of_policy_assignment(report)


def _check_scope(options: dict[str, Any]) -> None:
    place, group, above = options["place"], options["group"], options["above"]
    is_id = bool(group and group.startswith("/"))
    if above and (place or group):
        raise UsageError("An assignment is at one place: -m goes with neither -s nor -g.")
    if not (place or group or above):
        raise UsageError("Say where: -s SUBSCRIPTION, -s SUBSCRIPTION -g GROUP, or -m MANAGEMENT-GROUP.")
    if group and not is_id and not place:
        raise UsageError(f"Resource group {group}: give its subscription with -s, or its id.")
    if is_id and (place or not _GROUP_ID.fullmatch(group.rstrip("/"))):
        raise UsageError(f"-g {group}: give the id of a resource group alone, or its name with -s.")
    if above and "/" in above.removeprefix(_MANAGEMENT_GROUP):
        raise UsageError(f"-m {above}: give the management group's name.")


async def _drafted(azure: "PolicyAzure", options: dict[str, Any]) -> "AssignDraft":
    from patchmode.cli import composition
    from patchmode.workflow.policy.assigning import draft_assignment

    wish, scope = await _wish(azure, options)
    return await draft_assignment(azure, wish, scope, clock=composition.clock())


async def _wish(azure: "PolicyAzure", options: dict[str, Any]) -> "tuple[PolicyWish, Scope]":
    from patchmode.cli.schedules.wishes import subscription_id
    from patchmode.model.policy import PolicyWish
    from patchmode.model.scope import Scope
    from patchmode.rules.policy.assigning import LEAST

    policy, group = BuiltIn(options["policy"]), options["group"]
    if options["above"]:
        name = options["above"].removeprefix(_MANAGEMENT_GROUP)
        place, scope = f"{_MANAGEMENT_GROUP}{name}", Scope(management_groups=(name,))
    elif group:
        whole = f"/subscriptions/{await subscription_id(azure, options['place'])}" if options["place"] else ""
        place = f"{whole}/resourceGroups/{group}" if whole else group.rstrip("/")
        scope = Scope(resource_groups=(place,))
    else:
        found = await subscription_id(azure, options["place"])
        place, scope = f"/subscriptions/{found}", Scope(subscriptions=(found,))
    wish = PolicyWish(
        policy=policy,
        scope=place,
        name=options["name"] or _NAMES[policy],
        location=options["region"],
        parameters=dict(map(_pair, options["given"])),
        roles=tuple(map(_role, options["roles"])) or LEAST[policy],
        exempt=options["exempt"],
        exempt_blocked=options["exempt_blocked"],
        replace=options["replace"],
    )
    return wish, scope


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--param {text!r}: give NAME=VALUE.")
    return name, value


def _role(text: str) -> str:
    from patchmode.rules.policy.assigning import ROLES

    known = {name.lower(): guid for name, guid in ROLES.items()}
    if text.lower() in known:
        return known[text.lower()]
    if _GUID.fullmatch(text):
        return text.lower()
    raise UsageError(
        f"--role {text!r} is not a role that patchmode knows by name.",
        advice=f"Give the guid of its definition, or one of {', '.join(ROLES)}.",
    )


async def _assigned(azure: "PolicyAzure", drafted: "AssignDraft") -> "PolicyAssignReport":
    from patchmode.workflow.policy.assigning import assign

    await azure.authorization.subscriptions()
    return await assign(azure, drafted)
