"""The composition of this room: one signed-in connection that fulfils `ports.Azure`.

Must not: be reached for by anything but a composition root (`cli`, a library user's own code). Importing this module is
cheap; azure-core, aiohttp and azure-identity are imported when a connection is opened.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from patchmode.arm.governor import Cost, Governor, Identities
from patchmode.errors import SignInError, UnsafeError, UsageError
from patchmode.model.exchange import Exchange
from patchmode.model.target import Target
from patchmode.ports.azure import (
    Clock,
    Graph,
    GraphQuotas,
    Provider,
    RequestLedger,
    Writer,
)
from patchmode.ports.live_check import Probe
from patchmode.ports.maintenance import Maintenance, MaintenanceWriter
from patchmode.ports.policy import Policies, PolicyAzure, PolicyWriter
from patchmode.timing import SystemClock

if TYPE_CHECKING:
    from ssl import SSLContext

    from aiohttp import ClientSession

    from patchmode.arm.authorization import Directory
    from patchmode.arm.channel import Channel
    from patchmode.arm.clouds import Cloud
    from patchmode.arm.connections import SignInTransport
    from patchmode.arm.credentials import Credential, NamedCredential, SignIn
    from patchmode.arm.pipeline import Ledger
    from patchmode.model.access import ServicePrincipal

CONNECTIONS = 64
THROTTLE_PATIENCE_S = 900.0
"""How long a request waits for Azure's limits unless the user says otherwise. Longest recorded `Retry-After`: 324 s."""
TENANTS_API = "2022-12-01"


@dataclass(frozen=True, slots=True)
class Connection:
    """Fulfils `ports.Azure`, `ports.ProbingAzure` and `ports.PolicyAzure`."""

    graph: Graph
    provider: Provider
    maintenance: Maintenance
    authorization: "Directory"
    policies: Policies
    ledger: RequestLedger
    _target: Target
    _writer: Writer
    _maintenance_writer: MaintenanceWriter
    _policy_writer: PolicyWriter
    _probe: Probe
    _read_only: bool

    @property
    def target(self) -> Target:
        """Cloud, endpoint and tenant, with the names of the subscriptions once they were listed."""
        return replace(self._target, names=self.authorization.names)

    @property
    def writer(self) -> Writer:
        """The writing side.

        Raises:
            UnsafeError: the connection was opened for reading only.
        """
        self._check_may_write()
        return self._writer

    @property
    def maintenance_writer(self) -> MaintenanceWriter:
        """The writing side for schedules and assignments.

        Raises:
            UnsafeError: the connection was opened for reading only.
        """
        self._check_may_write()
        return self._maintenance_writer

    @property
    def policy_writer(self) -> PolicyWriter:
        """The writing side for policies.

        Raises:
            UnsafeError: the connection was opened for reading only.
        """
        self._check_may_write()
        return self._policy_writer

    @property
    def probe(self) -> Probe:
        """Single requests as they are. See `ports.ProbingAzure.probe`."""
        return self._probe

    def _check_may_write(self) -> None:
        if self._read_only:
            msg = "this connection was opened for reading only"
            raise UnsafeError(msg, advice="This is a defect of patchmode; nothing was sent.")


def _ignore(_: str) -> None:
    """Nobody watches."""


@asynccontextmanager
async def connect(
    cloud: str,
    *,
    read_only: bool,
    credential: "Credential | None" = None,
    identities: "Sequence[ServicePrincipal | NamedCredential]" = (),
    tenant_id: str | None = None,
    interactive: bool = False,
    clock: Clock | None = None,
    share: float = 1.0,
    throttle_patience_s: float = THROTTLE_PATIENCE_S,
    connections: int = CONNECTIONS,
    remark: Callable[[str], None] = _ignore,
    quotas: GraphQuotas | None = None,
    exchanges: Callable[[Exchange], None] | None = None,
) -> AsyncIterator[PolicyAzure]:
    """Sign in to one tenant of one cloud, and close everything at the end.

    Args:
        cloud: `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, or the https URL of a Resource Manager.
        read_only: nothing but GET, HEAD and the Resource Graph query can leave; both writers are refused.
        credential: an asynchronous azure-identity credential, the caller's to close; None: environment, workload
            identity, managed identity and az login are tried, in this order.
        identities: several principals of one tenant that share the work, instead of `credential`: as `read_identities`
            gives them, or credentials of the caller's own. Each has Resource Manager's and Resource Graph's limits to
            itself, and must be allowed what is to be done in every subscription that it sees. Empty: one principal.
        tenant_id: the tenant to sign in to; None: the credential's own. Service principals name theirs themselves.
        interactive: offer the browser last, where neither `credential` nor `identities` are given.
        clock: time, for throttling, retries and measuring; None: the system's.
        share: the part of Azure's published limits to use at most, 0 < share <= 1.
        throttle_patience_s: seconds, > 0, that a request waits for Azure's limits; more ends in `ThrottledError`.
        connections: sockets at a time, > 0; give at least the concurrency of a run.
        remark: told, in one line each, of waits of more than a second and of repeated requests, with their reasons.
        quotas: where processes tell each other what Resource Graph still grants; None: each begins as if alone.
        exchanges: told each request with its answer, tries and polls included, but no sign-in; None: nobody keeps them.

    Raises:
        CloudError: the cloud is unknown, its metadata cannot be read, or the environment's proxy is none. SignInError:
            no credential gave a token, or an identity cannot sign in, by name. UsageError: both `credential` and
            `identities` are given, or identities of several tenants, or one twice. RequestError: a list failed.
    """
    from patchmode.arm import connections as sockets
    from patchmode.arm.clouds import resolve
    from patchmode.arm.credentials import check_names

    check_names(identities, credential)
    async with AsyncExitStack() as stack:
        trust = _trust()
        sign_in_pool = await stack.enter_async_context(sockets.open_pool(trust, limit=4))
        found = await resolve(cloud, lambda url: sockets.fetch(sign_in_pool, url))
        transport = sockets.SignInTransport(sign_in_pool, patience_s=throttle_patience_s, remark=remark)
        offered = _sign_ins(found, transport, credential, identities, tenant_id, interactive=interactive)
        sign_ins = await _signed_in(offered, found.scope, stack)
        pool = await stack.enter_async_context(sockets.open_pool(trust, limit=sockets.room_for(connections)))
        roster = Identities([sign_in.name for sign_in in sign_ins])
        governor = _governor(clock, share, roster, throttle_patience_s, quotas, _keys(found, sign_ins), remark)
        channel, ledger = _channel(found, sign_ins, pool, governor, remark, exchanges, read_only=read_only)
        target = Target(found.name, found.endpoint, await _tenant(channel, sign_ins))
        directory = await _directory(channel, roster, sign_ins, target.tenant_id)
        yield _connection(target, channel, ledger, directory, roster, read_only=read_only)


def _trust() -> "SSLContext":
    """What servers are trusted by, where the environment's proxy can be used at all.

    Raises:
        CloudError: it cannot.
    """
    from patchmode.arm import connections as sockets

    trust = sockets.trust()
    sockets.check_proxies()
    return trust


def _sign_ins(
    cloud: "Cloud",
    transport: "SignInTransport",
    credential: "Credential | None",
    identities: "Sequence[ServicePrincipal | NamedCredential]",
    tenant_id: str | None,
    *,
    interactive: bool,
) -> "Iterator[SignIn]":
    """Whom to sign in, one after the other: of what follows one that cannot, nothing is opened."""
    from patchmode.arm.credentials import SignIn, default_chain, sign_in_of

    def chain() -> "Credential":
        return default_chain(cloud, transport, tenant_id=tenant_id, interactive=interactive)

    if identities:
        yield from (sign_in_of(identity, cloud, transport, tenant_id) for identity in identities)
    elif credential is not None:
        yield SignIn(lambda: credential, cloud, tenant_id, is_ours=False)
    else:
        yield SignIn(chain, cloud, tenant_id, transport=transport)


async def _signed_in(offered: "Iterator[SignIn]", scope: str, stack: AsyncExitStack) -> "list[SignIn]":
    """Each with a token, and closed at the end.

    Raises:
        SignInError: one cannot sign in. UsageError: two are the same.
    """
    from patchmode.arm.credentials import check_distinct

    sign_ins = []
    for sign_in in offered:
        stack.push_async_callback(sign_in.close)
        await sign_in.get_token_info(scope, options={"enable_cae": True})
        sign_in.check_tenant()
        sign_ins.append(sign_in)
    check_distinct(sign_ins)
    return sign_ins


def _channel(
    cloud: "Cloud",
    sign_ins: "Sequence[SignIn]",
    pool: "ClientSession",
    governor: Governor,
    remark: Callable[[str], None],
    exchanges: Callable[[Exchange], None] | None,
    *,
    read_only: bool,
) -> "tuple[Channel, Ledger]":
    """The policies in their order; `pipeline` says why it is this one."""
    from azure.core.pipeline.transport import AioHttpTransport

    from patchmode.arm import connections as sockets
    from patchmode.arm import pipeline as policies
    from patchmode.arm.channel import Channel

    transport = AioHttpTransport(
        session=cast("ClientSession", sockets.Verbatim(pool, proxy=sockets.proxy_for(cloud.endpoint))),
        session_owner=False,
        connection_timeout=sockets.CONNECT_TIMEOUT_S,
        read_timeout=sockets.READ_TIMEOUT_S,
    )
    clock, patience = governor.clock, policies.Patience(throttled_s=governor.patience_s)
    ledger = policies.Ledger(clock, exchanges)
    pipeline = policies.build(
        transport,
        policies.Retry(clock, patience=patience, remark=remark),
        policies.Throttle(governor),
        policies.Authenticate(sign_ins, cloud.scope),
        policies.Guard(cloud.endpoint, read_only=read_only),
        ledger,
    )
    return Channel(pipeline, cloud.endpoint, governor), ledger


def _governor(
    clock: Clock | None,
    share: float,
    roster: Identities,
    patience_s: float,
    quotas: GraphQuotas | None,
    keys: Sequence[str],
    remark: Callable[[str], None],
) -> Governor:
    return Governor(
        clock or SystemClock(),
        share=share,
        roster=roster,
        patience_s=patience_s,
        quotas=quotas,
        keys=keys,
        remark=remark,
    )


def _keys(cloud: "Cloud", sign_ins: "Sequence[SignIn]") -> list[str]:
    """Whose quotas Resource Graph counts, each of a principal in a tenant; empty: the token does not tell."""
    keys = []
    for sign_in in sign_ins:
        claims = sign_in.principal
        who = claims.get("oid") or claims.get("sub") or claims.get("appid") or claims.get("azp")
        keys.append("|".join((cloud.endpoint, sign_in.tenant_id or "", who)) if who else "")
    return keys


async def _tenant(channel: "Channel", sign_ins: "Sequence[SignIn]") -> str:
    """The one tenant of all.

    Raises:
        SignInError: one cannot be told. UsageError: they are of several.
    """
    found = [(one.name, one.tenant_id or await _only_tenant(channel, at)) for at, one in enumerate(sign_ins)]
    return _one_tenant(found)


def _one_tenant(tenants: Sequence[tuple[str, str]]) -> str:
    """The tenant of all identities.

    Args:
        tenants: (identity's name, tenant id), at least one.

    Raises:
        UsageError: there are two; the message names an identity of each.
    """
    first, tenant_id = tenants[0]
    for name, other in tenants[1:]:
        if other.lower() != tenant_id.lower():
            raise UsageError(
                f"Identity {first!r} signed in to tenant {tenant_id} and {name!r} to tenant {other}.",
                advice="A connection belongs to one tenant: give the identities of one (--tenant chooses them).",
            )
    return tenant_id


async def _only_tenant(channel: "Channel", identity: int) -> str:
    """The tenant, where neither the token nor the user says it and the principal sees but one.

    Raises:
        SignInError: there are several, or none.
    """
    from patchmode.arm.authorization import TenantEntry

    pages = channel.pages(channel.url("/tenants", TENANTS_API), Cost(identity=identity), TenantEntry)
    tenants = [entry.tenant_id or "" async for page in pages for entry in page]
    if len(tenants) != 1 or not tenants[0]:
        raise SignInError(
            f"signed in, but the token names no tenant and {len(tenants)} can be seen",
            advice="Name the tenant, for example in AZURE_TENANT_ID.",
        )
    return tenants[0]


async def _directory(
    channel: "Channel", roster: Identities, sign_ins: "Sequence[SignIn]", tenant_id: str
) -> "Directory":
    """Who is signed in; of several, what each sees is learned here. One alone is not asked: it does everything."""
    from patchmode.arm.authorization import Directory

    directory = Directory(channel, roster, lambda: {one.name: one.principal for one in sign_ins}, tenant_id)
    if len(sign_ins) > 1:
        roster.learn([[entry.id for entry in seen] for seen in await directory.seen()])
    return directory


def _connection(
    target: Target,
    channel: "Channel",
    ledger: RequestLedger,
    directory: "Directory",
    roster: Identities,
    *,
    read_only: bool,
) -> Connection:
    from patchmode.arm.machines import MachineReader
    from patchmode.arm.machines import Writer as OperationWriter
    from patchmode.arm.maintenance import MaintenanceReader
    from patchmode.arm.maintenance import MaintenanceWriter as ScheduleWriter
    from patchmode.arm.policies import PolicyReader
    from patchmode.arm.policies import PolicyWriter as AssignmentWriter
    from patchmode.arm.probing import SingleRequests
    from patchmode.arm.resource_graph import ResourceGraph

    return Connection(
        graph=ResourceGraph(channel, roster),
        provider=MachineReader(channel),
        maintenance=MaintenanceReader(channel),
        authorization=directory,
        policies=PolicyReader(channel),
        ledger=ledger,
        _target=target,
        _writer=OperationWriter(channel),
        _maintenance_writer=ScheduleWriter(channel),
        _policy_writer=AssignmentWriter(channel),
        _probe=SingleRequests(channel),
        _read_only=read_only,
    )
