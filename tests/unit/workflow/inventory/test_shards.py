"""Shards divide a scope: each machine is exactly one shard's, whatever selected it, and what else there is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import GONE, TARGET, AzureDouble, FixedClock, machine, machine_id
from tests.unit.workflow.maintenance_double import MaintenanceDouble, configuration, configuration_id

from patchmode.errors import EmptyScopeError, UsageError
from patchmode.model.machine import Machine, Subscription
from patchmode.model.schedule import ConfigurationAssignment, DynamicScope, FailureKind, MachineRun, ScopeFilter
from patchmode.model.scope import Filters, LoggedName, LogReading, MachineName, Scope, Shard, ShardError, Since
from patchmode.workflow.inventory.doctor import examine
from patchmode.workflow.inventory.history import failures
from patchmode.workflow.inventory.inventory import take_inventory
from patchmode.workflow.inventory.scoping import resolve

NOW = FixedClock().now()
SUBSCRIPTIONS = tuple(f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}" for digit in "1245689")
DISABLED = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
KNOWN = (
    *(Subscription(one, f"Sub {one[0]}", TARGET.tenant_id) for one in SUBSCRIPTIONS),
    Subscription(DISABLED, "Off", TARGET.tenant_id, state="Disabled"),
)
WEEKLY = configuration_id("Weekly", subscription=SUBSCRIPTIONS[0])
TOAST = LogReading(source="toast", names=(LoggedName(MachineName("twin")),))
"""Names no id: whose machine it is shows only when all are looked through."""
REFUSED = Counter({("refused", "twin"): 1})
EIGHTHS = [7, 6, 1, 3, 3, 4, 8]

places = st.tuples(st.sampled_from(SUBSCRIPTIONS), st.sampled_from(["web", "db"]), st.sampled_from(["a", "b", "twin"]))
fleets = st.lists(places, unique=True, max_size=12).map(
    lambda found: [machine(name, group=group, subscription=place) for place, group, name in found]
)


def azure_of(fleet: Sequence[Machine]) -> AzureDouble:
    """A fleet of which every second machine has the schedule, and every third failed in its window."""
    runs = [
        MachineRun(one.id, WEEKLY, "night", "Failed", NOW, NOW, FailureKind.PREREQUISITE, "not prepared")
        for one in fleet[::3]
    ]
    schedules = MaintenanceDouble(
        configurations=[configuration(WEEKLY)],
        assignments=[ConfigurationAssignment("own", one.id, WEEKLY) for one in fleet[::2]],
        dynamic_scopes=[DynamicScope("all", SUBSCRIPTIONS[1], None, WEEKLY, ScopeFilter())],
        runs=runs,
    )
    return AzureDouble(
        fleet,
        known=KNOWN,
        schedules=schedules,
        queries={"mine": [str(one.id) for one in fleet[1::2]]},
        under={"corp": SUBSCRIPTIONS[:5]},
    )


def scopes(fleet: Sequence[Machine]) -> st.SearchStrategy[Scope]:
    """Selectors of every kind, filters too."""
    ids = st.lists(st.sampled_from([str(one.id) for one in fleet] + [str(machine_id("no"))]), max_size=3)
    return st.builds(
        Scope,
        subscriptions=st.lists(
            max_size=3, elements=st.sampled_from(["Sub 2", SUBSCRIPTIONS[3].upper(), DISABLED, GONE])
        ).map(tuple),
        management_groups=st.sampled_from([(), ("corp",), ("nowhere",)]),
        resource_groups=st.sampled_from([(), ("web",), (f"/subscriptions/{SUBSCRIPTIONS[4]}/resourceGroups/db",)]),
        ids=ids.map(tuple),
        graph_queries=st.sampled_from([(), ("mine",)]),
        schedules=st.sampled_from([(), ("Weekly",)]),
        failed_since=st.sampled_from([None, Since.parse("7d")]),
        logs=st.sampled_from([(), (TOAST,)]),
        everything=st.booleans(),
        exclude=st.sampled_from([Filters(), Filters(names=("b",))]),
    ).filter(lambda scope: scope.has_selector)


async def ends_in(azure: AzureDouble, scope: Scope, *, documents: bool) -> Counter[tuple[str, str]]:
    """(how it ended, id) of all that the inventory of a scope names."""
    try:
        found = await take_inventory(azure, scope, documents=documents, now=NOW)
    except EmptyScopeError:
        assert scope.shard is None
        return Counter()
    except UsageError:
        return REFUSED
    ends = [("machine", str(one.id)) for one in found.machines]
    ends += [(one.rule, str(one.id)) for one in found.skipped]
    return Counter([*ends, *(("unreadable", one.id) for one in found.unreadable)])


@given(data=st.data(), fleet=fleets, count=st.integers(1, 9), documents=st.booleans())
async def test_shards_partition_any_scope(
    data: st.DataObject, fleet: list[Machine], count: int, documents: bool
) -> None:
    """Nothing is left out, and nothing is taken twice: also where only a name or a schedule points at it."""
    scope = data.draw(scopes(fleet))
    azure = azure_of(fleet)
    whole = await ends_in(azure, scope, documents=documents)
    if whole == Counter():
        # The filters left every machine out: a whole scope is refused as empty, a shard says what it skipped.
        scope = replace(scope, exclude=Filters())
        whole = await ends_in(azure, scope, documents=documents)
    shards = [Shard(number, count) for number in range(1, count + 1)]
    if whole == REFUSED:
        # A name that is not unique is refused by every shard alike.
        assert [await ends_in(azure, replace(scope, shard=shard), documents=documents) for shard in shards] == (
            [REFUSED] * count
        )
        return
    parts = [await ends_in(azure, replace(scope, shard=shard), documents=documents) for shard in shards]
    together = sum(parts, Counter())
    if whole == Counter():
        # Of a group that nobody sees, the error of the whole scope speaks; of shards, one of them.
        unseen = ("resource group web", f"/subscriptions/{SUBSCRIPTIONS[4]}/resourceGroups/db")
        together -= Counter(("unreadable", one) for one in unseen)
    assert together == whole
    for shard, part in zip(shards, parts, strict=True):
        machines = [identifier for kind, identifier in part if kind == "machine"]
        assert all(shard.takes(identifier.split("/")[2]) for identifier in machines)


@given(st.text(alphabet="0123456789abcdef-", min_size=1, max_size=36), st.integers(1, 500))
def test_every_subscription_has_one_shard_of_any_count(identifier: str, count: int) -> None:
    """However its id is cased."""
    numbers = [number for number in range(1, count + 1) if Shard(number, count).takes(identifier)]
    assert len(numbers) == 1
    assert Shard(numbers[0], count).takes(identifier.upper())


def test_the_division_is_the_published_one() -> None:
    """Two versions must not disagree about whose a subscription is: worked out with coreutils' sha256sum."""
    assert [next(n for n in range(1, 9) if Shard(n, 8).takes(one)) for one in SUBSCRIPTIONS] == EIGHTHS


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1/10001", "²/3", "1 / 3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    """A slip here would leave machines to nobody."""
    with pytest.raises(ShardError):
        Shard.parse(text)


def test_a_plan_s_scope_tells_its_shard() -> None:
    """The journal keeps the plan, so that a run knows which part it was."""
    scope = Scope(everything=True, shard=Shard.parse(" 2/8 "))
    assert scope.describe() == ("--all", "--shard 2/8")
    assert Shard.of_scope(scope.describe()) == Shard(2, 8)
    assert Shard.of_scope(("--all", "--tag --shard=1/2")) is None


def test_a_shard_alone_points_at_nothing() -> None:
    """Whoever may write must still say which machines."""
    assert not Scope(shard=Shard(1, 2)).has_selector


async def test_the_report_says_how_many_subscriptions_the_shard_took() -> None:
    """An empty shard is no mistake, and looks like none."""
    azure = azure_of([machine("a", subscription=SUBSCRIPTIONS[0])])
    whole = len(SUBSCRIPTIONS)
    taken = [sum(Shard(number, 3).takes(one) for one in SUBSCRIPTIONS) for number in (1, 2, 3)]
    assert sum(taken) == whole
    for number in (1, 2, 3):
        scope = Scope(everything=True, shard=Shard(number, 3))
        found = await take_inventory(azure, scope, documents=False, now=NOW)
        told = (
            f"Shard {number}/3 selects {taken[number - 1]} of {whole} subscriptions. The other shards select the rest."
        )
        assert found.notes[0] == told
    group = Scope(resource_groups=(f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/web",), shard=Shard(1, 1))
    assert (await resolve(azure, group)).notes == (
        "Shard 1/1 selects 1 of 1 subscription. The other shards select the rest.",
    )


async def test_a_wrong_selector_is_refused_by_every_shard() -> None:
    """Else one of eight would fail and seven would go on."""
    for number in (1, 2):
        with pytest.raises(UsageError, match="no subscription named"):
            await resolve(azure_of([]), Scope(subscriptions=("Typo",), shard=Shard(number, 2)))


async def test_doctor_and_failures_look_at_the_shard_only() -> None:
    """Their reports add up like the others."""
    fleet = [machine("a", subscription=one) for one in SUBSCRIPTIONS]
    checked: list[str] = []
    told: list[str] = []
    for number in (1, 2, 3):
        scope = Scope(shard=Shard(number, 3))
        checked += [one.subscription.id for one in (await examine(azure_of(fleet), scope)).subscriptions]
        report = await failures(azure_of(fleet), scope, Since.parse("7d"), clock=FixedClock())
        reasons = [reason for run in report.runs for reason in run.failures]
        told += [entry.subscription_id for reason in reasons for entry in reason.machines]
    assert sorted(checked) == sorted((*SUBSCRIPTIONS, DISABLED))
    assert sorted(told) == sorted(one.id.subscription_id for one in fleet[::3])
