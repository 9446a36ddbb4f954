"""The composition root: the one place that knows which room fulfils which port.

Must not: be imported before a command runs; what it composes is heavy.
"""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from patchmode.cli.output import say, say_lines
from patchmode.cli.settings import Settings, state_folder
from patchmode.errors import UsageError, WrongTargetError
from patchmode.model.access import ServicePrincipal, by_tenant
from patchmode.model.exchange import Exchange
from patchmode.model.plan import Plan
from patchmode.model.report import SettingValue
from patchmode.model.target import Target
from patchmode.ports.azure import Azure, Clock
from patchmode.ports.policy import PolicyAzure
from patchmode.store.journal import Journal
from patchmode.store.live_checks import LiveCheckStore
from patchmode.store.runs import LATEST, RunStore
from patchmode.timing import SystemClock

if TYPE_CHECKING:
    from datetime import timedelta

    from patchmode.model.patch_settings import WantedSettings
    from patchmode.model.report import AuditReport
    from patchmode.model.scope import Scope

DEFAULT_CLOUD = "AzureCloud"
RUNS_ASKED = "patchmode.runs_asked"
"""In a context's `meta`: the targets of runs whose machines the command takes."""
_CHOICES_SHOWN = 3
_TOLD = "patchmode.state_folder_told"
"""In a context's `meta`: whether the permissions of the state folder were told."""


def clock() -> Clock:
    """The system's clock."""
    return SystemClock()


@asynccontextmanager
async def connected(
    settings: Settings,
    *,
    read_only: bool,
    concurrency: int = 0,
    throttle_patience_s: float | None = None,
    remark: Callable[[str], None] | None = None,
    exchanges: Callable[[Exchange], None] | None = None,
) -> AsyncIterator[PolicyAzure]:
    """A signed-in connection to the chosen cloud, closed at the end.

    Args:
        settings: `cloud`, `identity_file`, `tenant`, `share`, `patience` and `state_dir` are looked at.
        read_only: refuse everything but reading, whatever is called.
        concurrency: requests in flight at once, so that sockets do not become a limit of their own.
        throttle_patience_s: how long a request waits where Azure's limits hold it back; None: as the settings say.
        remark: is told of throttle pauses and retries; None: they go to standard error.
        exchanges: is told each request and its answer; None: nobody keeps them.

    Raises:
        UsageError: the identity file or the share is not what it should be, or the file names several tenants and
            nobody chose one. CloudError: the cloud is unknown or not to
            be trusted. SignInError: no credential gave a token, or an identity cannot sign in. WrongTargetError: a run
            whose machines are taken belongs to another target.
    """
    from patchmode.arm.session import CONNECTIONS, THROTTLE_PATIENCE_S, connect
    from patchmode.store.quota_file import QuotaFile

    share = settings.share_of_limits
    principals = identities(settings)
    patience_s = settings.throttle_patience_s if throttle_patience_s is None else throttle_patience_s
    context = click.get_current_context(silent=True)
    async with (
        _traced(context, settings),
        connect(
            settings.cloud or DEFAULT_CLOUD,
            read_only=read_only,
            identities=principals,
            tenant_id=settings.tenant,
            share=share,
            # A browser or a device code needs somebody to look at it.
            interactive=sys.stdin.isatty() and sys.stderr.isatty(),
            connections=max(CONNECTIONS, concurrency),
            throttle_patience_s=THROTTLE_PATIENCE_S if patience_s is None else patience_s,
            remark=remark or (lambda text: say(text, settings)),
            quotas=QuotaFile(_state_folder(settings)),
            exchanges=exchanges,
        ) as azure,
    ):
        for target in context.meta.get(RUNS_ASKED, ()) if context else ():
            _check(target, azure)
        yield azure


@asynccontextmanager
async def _traced(context: click.Context | None, settings: Settings) -> AsyncIterator[None]:
    """Spans of what this command asks Azure, where the environment asks for them."""
    from patchmode.arm.tracing import traced
    from patchmode.cli.group import path_of

    with traced(path_of(context) if context else "", lambda text: say(f"! {text}", settings)):
        yield


def network_in_force(endpoint: str) -> tuple[SettingValue, ...]:
    """How an endpoint is reached from this computer and what is trusted there, each with where that comes from."""
    from patchmode.arm import connections

    return connections.network_in_force(endpoint)


def tenants_of(settings: Settings) -> tuple[str, ...]:
    """The tenants that the identity file names; empty: there is no such file, or it names one, or one was chosen.

    Raises:
        UsageError: the file is not what it should be.
    """
    from patchmode.store.identity_file import read_identities

    if not settings.identity_file or settings.tenant:
        return ()
    found = tuple(by_tenant(read_identities(Path(settings.identity_file))))
    return found if len(found) > 1 else ()


async def audited(
    settings: Settings, scope: "Scope", *, wanted: "WantedSettings", longest_wait: "timedelta"
) -> "AuditReport":
    """An audit of the tenant of this command, or of every tenant that the identity file names.

    Raises:
        PatchmodeError: as `connected`, `audit` and `audit_tenants`.
    """
    from patchmode.workflow.inventory.audit import audit, audit_tenants

    tenants = tenants_of(settings)
    if tenants:
        connects = {one: partial(connected, replace(settings, tenant=one), read_only=True) for one in tenants}
        return await audit_tenants(connects, scope, wanted=wanted, clock=clock(), longest_wait=longest_wait)
    async with connected(settings, read_only=True) as azure:
        return await audit(azure, scope, wanted=wanted, clock=clock(), longest_wait=longest_wait)


def identities(settings: Settings) -> Sequence[ServicePrincipal]:
    """Whom the identity file signs in to the one tenant of this command; empty: there is no such file.

    Raises:
        UsageError: it is not what it should be, it names several tenants and nobody chose one, or not the chosen one.
    """
    from patchmode.store.identity_file import read_identities

    if not settings.identity_file:
        return ()
    found = by_tenant(read_identities(Path(settings.identity_file)))
    named = ", ".join(f"{tenant} ({', '.join(one.name for one in those)})" for tenant, those in found.items())
    if settings.tenant is not None:
        if settings.tenant.lower() in found:
            return found[settings.tenant.lower()]
        raise UsageError(
            f"The identity file {settings.identity_file} has nobody of tenant {settings.tenant}; it names {named}.",
            advice="Give --tenant one of these ids.",
        )
    if len(found) < 2:
        return next(iter(found.values()))
    raise UsageError(
        f"The identity file {settings.identity_file} names {len(found)} tenants, and this command works in one: "
        f"{named}.",
        advice=_choices(settings, list(found)),
    )


def _choices(settings: Settings, tenants: Sequence[str]) -> str:
    """The command once more for each of the first tenants; where it cannot be pasted, the option."""
    from patchmode.reports.text.next_steps import command

    again = [settings.again("--tenant", tenant) for tenant in tenants[:_CHOICES_SHOWN]]
    commands = [command(*words) for words in again if words is not None]
    if not commands:
        return f"Choose one, for example --tenant {tenants[0]}"
    more = f"\nor another of the {len(tenants)} tenants" if len(tenants) > len(commands) else ""
    return "\n".join(("Choose one:", *commands)) + more


def check_target(plan: Plan, azure: Azure) -> None:
    """Refuse to read for one target what was planned on another.

    Raises:
        WrongTargetError: tenant or endpoint differ.
    """
    _check(plan.target, azure)


def check_same_target(target: Target, azure: Azure) -> None:
    """Refuse to go on in one target with what began in another.

    Raises:
        WrongTargetError: tenant or endpoint differ.
    """
    _check(target, azure)


def _check(target: Target, azure: Azure) -> None:
    if not target.same_as(azure.target):
        raise WrongTargetError(
            f"What is asked about belongs to tenant {target.tenant_id} on {target.endpoint}, and this is "
            f"tenant {azure.target.tenant_id} on {azure.target.endpoint}.",
            advice="Sign in to that target (--cloud, --tenant).",
        )


def run_store(settings: Settings) -> RunStore:
    """The runs of the state folder."""
    return RunStore(_state_folder(settings))


def live_checks(settings: Settings) -> LiveCheckStore:
    """The live checks of the state folder."""
    return LiveCheckStore(_state_folder(settings))


def open_sent(run: str | None, settings: Settings, *, for_writing: bool = False) -> Journal:
    """A run to verify or to undo.

    Args:
        run: its id, its beginning, or `latest`; None: as `latest`, which is the newest run that sent anything.
        settings: the state folder.
        for_writing: as `RunStore.open`, whose errors it raises.
    """
    store = run_store(settings)
    return store.open(store.latest_sent() if run in {None, LATEST} else run or LATEST, for_writing=for_writing)


def keep_plan(plan: Plan, settings: Settings) -> Path:
    """Write the plan that `apply` or `rollback` made into the state folder; the new file.

    Raises:
        StorageError: it cannot be written. BrokenPlanError: the plan holds what no plan may hold.
    """
    from patchmode.store import plan_file

    return plan_file.keep_plan(plan, _state_folder(settings), clock().now())


def _state_folder(settings: Settings) -> Path:
    """The state folder; that other users have permissions for it is told once in a command.

    It is not changed: who gave them may have meant to. One that patchmode makes is its owner's alone.
    """
    from patchmode.store.files import open_to_others

    folder = state_folder(settings)
    context = click.get_current_context(silent=True)
    if context is None or context.meta.get(_TOLD) or (mode := open_to_others(folder)) is None:
        return folder
    context.meta[_TOLD] = True
    may = "replace what is in it" if mode & 0o022 else "look into it"
    say(f"! The permissions of the state folder let other users {may}. To end that:", settings)
    say_lines([f"  chmod 700 {quote(str(folder.absolute()))}"], settings)
    return folder
