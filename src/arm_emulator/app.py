"""The emulator as one object: composes the cloud that handlers use, and leads each call through it.

No socket is opened here; ``arm_emulator.server`` brings calls in and carries answers out.
"""

import logging
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from arm_emulator import control, fleets
from arm_emulator.clock import Clock
from arm_emulator.directory import Directory
from arm_emulator.fault_effects import disturbed, modified
from arm_emulator.faults import FaultPlan, Faults
from arm_emulator.ledger import Entry, Ledger
from arm_emulator.patching import Patching
from arm_emulator.profile import Profile
from arm_emulator.protocol import batches, front_door, microsoft_graph, sign_in, wire
from arm_emulator.protocol.authorization import Authorization
from arm_emulator.protocol.azure_clouds import cloud_of
from arm_emulator.protocol.cloud import Cloud
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.operations import Operation, Operations
from arm_emulator.protocol.paging import Snapshots
from arm_emulator.protocol.throttle import Limits, Throttle
from arm_emulator.protocol.tokens import LIFETIME_S, Tokens
from arm_emulator.protocol.wire import Answer, Call, Target
from arm_emulator.providers.compute.deletions import Deletions
from arm_emulator.providers.insights import ActivityLog
from arm_emulator.providers.maintenance.limits import Associations
from arm_emulator.providers.network import Interfaces
from arm_emulator.providers.resource_graph.changes import Changes
from arm_emulator.providers.resource_graph.endpoint import Results
from arm_emulator.providers.resource_graph.index import GraphIndex
from arm_emulator.providers.resource_graph.rows import Rows
from arm_emulator.routes import router
from arm_emulator.state import State
from arm_emulator.store import Store

_LOG = logging.getLogger(__name__)


class _Around:
    """What an operation meets beside its target: the faults in force, and the store where there is one."""

    def __init__(self, faults: Faults, store: Store | None) -> None:
        self._faults = faults
        self._store = store

    def bend(self, operation: Operation, request: Request) -> None:
        """Change how an operation that is being started ends, where a fault says so."""
        self._faults.bend(operation, request)

    def keep(self, operation: Operation) -> None:
        """Remember an operation beyond this process, where the state is stored."""
        if self._store is not None:
            self._store.save_operation(operation)


class Emulator:
    """One emulated cloud.

    Args:
        clock: None for real time.
        profile: the switches for what is unconfirmed.
        limits: the throttle; None for Azure's.
        lro_seconds: how long every long-running operation takes; None draws from recorded durations.
        graph_lag_s: how long Resource Graph lags; None draws lags such as Azure's.
        faults: what goes wrong.
        fleet: a fleet document, loaded at once where the store holds nothing yet.
        store: where the state outlives the process; None keeps it in memory.
        seed: of everything drawn.
        region: the front door's, as ``x-ms-routing-request-id`` names it.
        token_seconds: how long a token lasts.
        guards_names: refuse patchmode under a name of Azure; without it, plans and runs name Azure as their target.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        profile: Profile | None = None,
        limits: Limits | None = None,
        lro_seconds: float | None = None,
        graph_lag_s: float | None = 0.0,
        faults: FaultPlan | None = None,
        fleet: dict[str, Any] | None = None,
        store: Store | None = None,
        seed: int = 0,
        region: str = "WESTEUROPE",
        token_seconds: int = LIFETIME_S,
        guards_names: bool = True,
    ) -> None:
        self.clock = clock or Clock()
        self.profile = profile or Profile()
        self.region = region
        self._guards_names = guards_names
        self.store = store
        self.state = State(store)
        self.directory = Directory()
        self.tokens = Tokens(self.directory)
        self.faults = Faults(faults)
        self.ledger = Ledger()
        self.throttle = Throttle(self.clock, limits or Limits())
        around = _Around(self.faults, store)
        self.operations = Operations(self.clock, self.state, around, seconds=lro_seconds, draw=seeded(seed + 1))
        self.authorization = Authorization(self.state, self.directory)
        self.cloud = Cloud(
            clock=self.clock,
            profile=self.profile,
            random=seeded(seed),
            state=self.state,
            directory=self.directory,
            tokens=self.tokens,
            token_seconds=token_seconds,
            authorization=self.authorization,
            throttle=self.throttle,
            operations=self.operations,
            faults=self.faults,
            ledger=self.ledger,
            store=store,
        )
        self._add_parts(graph_lag_s)
        self._router = router()
        self._starting_fleet = fleet or {}
        self._begin(self._starting_fleet)

    def _add_parts(self, graph_lag_s: float | None) -> None:
        """What the providers keep for this cloud, and who hears of changes, in this order."""
        parts = self.cloud.parts
        parts.add(Snapshots())
        self.graph = parts.add(GraphIndex(self.clock, self.cloud.random, graph_lag_s))
        self._graph_rows = parts.add(Rows(self.state, self.directory))
        self._changes = parts.add(Changes(self.cloud))
        self._activity = parts.add(ActivityLog(self.cloud))
        parts.add(Results())
        parts.add(Interfaces(self.state))
        associations = parts.add(Associations())
        self.patching = parts.add(Patching(self.cloud))
        self._deletions = parts.add(Deletions(self.clock))
        self.state.observe(lambda key, _: self.authorization.on_change(key))
        self.state.observe(associations.on_change)
        self.state.observe(self.graph.on_change)
        self.state.observe(self.patching.on_change)
        self.state.observe(self._deletions.on_change)

    def _begin(self, fleet: dict[str, Any]) -> None:
        remembered = self.store.fleet() if self.store is not None else None
        if self.store is None or remembered is None:
            self.load(fleet)
            return
        self.directory.load(remembered)
        self.graph.is_loading = True
        self.state.restore(self.store.resources())
        self.graph.is_loading = False
        self.authorization.refresh()
        self.patching.know_guests(self.store.guests(), None)
        self.patching.begin()
        for operation in self.store.operations():
            self.operations.restore(operation)

    def load(self, fleet: dict[str, Any]) -> None:
        """Load a fleet document into the state as it stands.

        Raises:
            fleets.FleetError: when it is no fleet document; nothing was loaded then.
        """
        checked = fleets.checked(fleet)
        now = self.clock.now()
        # Loaded as of days ago, the fleet has its windows and nights behind it once the clock is at the present again.
        with self.clock.standing(now - timedelta(days=checked.get("pastDays", 0))):
            self.graph.is_loading = True
            try:
                self.directory.load(checked)
                fleets.load_resources(self.state, self.directory, checked)
            finally:
                self.graph.is_loading = False
            self.authorization.refresh()
            self.patching.know_guests(checked.get("guests", ()), now)
            self.patching.begin()
        self.clock.run_due()
        self.cloud.keep_directory()
        if self.store is not None:
            self.store.keep_guests(checked.get("guests", []))

    def reset(self, fleet: dict[str, Any] | None = None) -> None:
        """Forget everything (resources, operations, requests, buckets) and load a fleet document; faults stay.

        Args:
            fleet: None: the fleet that the emulator was started with, even where a store held another then.

        Raises:
            fleets.FleetError: when it is no fleet document; nothing was forgotten then.
        """
        checked = fleets.checked(self._starting_fleet if fleet is None else fleet)
        self.clock.forget()
        self.operations.forget()
        self.state.clear()
        self.patching.forget()
        self._deletions.forget()
        self.graph.clear()
        self._graph_rows.forget()
        self._changes.forget()
        self._activity.forget()
        self.directory.clear()
        self.ledger.clear()
        self.throttle.reset()
        if self.store is not None:
            self.store.forget_operations()
        self.load(checked)

    def serve(self, call: Call) -> Answer:
        """Answer one HTTP call: control plane, sign-in, or Azure Resource Manager behind its front door."""
        self.clock.run_due()
        target = wire.split_target(call.target)
        if target.path.startswith("/_emulator"):
            return _answer(control.answer(self.cloud, self.reset, call, target), {})
        entry = self.ledger.note(
            Entry(
                call.method,
                target.path,
                target.raw_query,
                target.query.get("api-version", ""),
                call.body,
                self.clock.now().isoformat(),
                request_id=wire.new_id(),
            )
        )
        return self._struck(call, target, entry)

    def _struck(self, call: Call, target: Target, entry: Entry) -> Answer:
        rule = self.faults.strike(call.method, target.path)
        if rule is None:
            return self._answered(call, target, entry)
        entry.fault = rule.name or "unnamed"
        call = replace(call, body=modified(call.body, rule.do.modify))
        answer = disturbed(
            self.cloud,
            rule.do,
            path=target.path,
            request_id=entry.request_id,
            proper=lambda: self._answered(call, target, entry),
            written=lambda response: _answer(response, self._headers(entry.request_id, call)),
        )
        # What the client got to see, not what it would have got.
        entry.status = 0 if answer.disposition in ("silence", "reset") else answer.status
        return answer

    def _answered(self, call: Call, target: Target, entry: Entry) -> Answer:
        base = f"https://{call.headers.get('host', 'localhost')}"
        headers = self._headers(entry.request_id, call)
        public = sign_in.answer(self.cloud, call, target.path, target.query, base)
        if public is None:
            public = microsoft_graph.answer(self.cloud, call, target.path, target.query, base)
        if public is None:
            public = self._arm(call, target, entry, base, headers)
        entry.status = public.status
        return _answer(public, headers, head=call.method == "HEAD")

    def _arm(self, call: Call, target: Target, entry: Entry, base: str, headers: dict[str, str]) -> Response:
        try:
            if self._guards_names:
                _check_target(base, call.headers.get("user-agent", ""))
            authority = sign_in.authority(base, self.directory.tenant_id)
            principal = self.directory.as_of_now(self.tokens.read(call.headers.get("authorization"), authority, base))
            entry.principal = principal.object_id
            if (call.method, target.path.lower().rstrip("/")) == ("POST", batches.PATH):
                return self._batch(call, target, base)
            match = self._router.find(target.path)
            request = Request(
                method=call.method,
                path=target.path,
                query=target.query,
                headers=call.headers,
                # What is not emulated is refused as that, whatever its body is: az splices JSON that is none.
                body=_body(call.body) if match is not None and call.method in match.methods else None,
                base_url=base,
                principal=principal,
                request_id=entry.request_id,
                correlation_id=headers["x-ms-correlation-request-id"],
                api_version=target.query.get("api-version", ""),
                raw_query=target.raw_query,
            )
            return self.handle(request)
        except ArmError as error:
            return error.response()

    def _batch(self, call: Call, target: Target, base: str) -> Response:
        def read(place: str) -> Answer:
            return self.serve(replace(call, method="GET", target=place, body=b""))

        return batches.answer(_body(call.body), target.query.get("api-version", ""), base, read)

    def handle(self, request: Request) -> Response:
        """Pass a call whose principal is known through the front door to its provider; refusals are answers."""
        match = self._router.find(request.path)
        try:
            response = front_door.admit(self.cloud, request, match)
        except ArmError as error:
            response = error.response()
        except Exception:  # noqa: BLE001  a defect of the emulator must not look like a dropped connection
            _LOG.exception("%s %s failed", request.method, request.path)
            return ArmError(500, "InternalServerError", "The emulator failed; its log says where.").response()
        if match is not None and request.method in match.methods:
            action = front_door.action_of(match.methods[request.method], match.params)
            self._activity.note(request, action, response)
        return response

    def _headers(self, request_id: str, call: Call) -> dict[str, str]:
        correlation = call.headers.get("x-ms-correlation-request-id") or wire.new_id()
        headers = wire.common_headers(request_id, correlation, self.region, self.clock.now())
        client_id = call.headers.get("x-ms-client-request-id")
        if client_id and call.headers.get("x-ms-return-client-request-id", "").lower() == "true":
            headers["x-ms-client-request-id"] = client_id
        return headers


def _check_target(base: str, agent: str) -> None:
    """Refuse patchmode under a public name: its plans and runs would name Azure itself as their target.

    Raises:
        ArmError: 400, in words of ours.
    """
    if cloud_of(base) is not None and agent.lower().startswith("patchmode/"):
        message = (
            "This is arm-emulator under a public name of Azure. Plans and runs that patchmode made here would name "
            "Azure as their target. Give no --cloud: PATCHMODE_CLOUD names the emulator."
        )
        raise ArmError(400, "EmulatorUnderPublicName", message)


def _answer(response: Response, headers: dict[str, str], *, head: bool = False) -> Answer:
    body, content_type = wire.encode(response, head=head)
    merged = {**headers, **response.headers}
    if content_type:
        merged.setdefault("Content-Type", content_type)
    return Answer(response.status, merged, body)


def _body(content: bytes) -> object | None:
    if not content:
        return None
    try:
        decoded: object = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        message = f"The request content was invalid and could not be deserialized: '{error}'."
        raise ArmError(400, "InvalidRequestContent", message, gateway=True) from error
    return decoded


def seeded(seed: int) -> random.Random:
    """A repeatable source of draws; nothing in an emulator needs to be unguessable."""
    return random.Random(seed)  # noqa: S311  repeatable on purpose, no secret
