"""Before something is sent from a file, its subscriptions go by the names that they have now."""

from dataclasses import replace

from tests.unit.store.plans import SUBSCRIPTION, plan
from tests.unit.workflow.azure_double import TARGET, AzureDouble

from patchmode.model.plan import Plan
from patchmode.model.target import SubscriptionNames, Target
from patchmode.workflow.run.rollback import renamed

OTHER = "33333333-3333-3333-3333-333333333333"


class _Named(AzureDouble):
    """Lists no subscription by itself; says the names that a connection would have learned."""

    @property
    def target(self) -> Target:
        return replace(TARGET, names=SubscriptionNames.of(((SUBSCRIPTION, "Now"), (OTHER, "Other"))))


def _plan_named(name: str) -> Plan:
    made = plan()
    return replace(made, target=replace(made.target, names=SubscriptionNames.of(((SUBSCRIPTION, name),))))


async def test_a_change_of_name_is_told_and_the_new_one_is_used() -> None:
    told: list[str] = []
    target = await renamed(_Named(), _plan_named("Before"), remark=told.append)
    assert target.names.pairs == ((SUBSCRIPTION, "Now"),)
    assert told == [f"{SUBSCRIPTION} is named 'Now' now, and was 'Before' in the plan."]


async def test_the_same_name_is_not_told() -> None:
    told: list[str] = []
    await renamed(_Named(), _plan_named("Now"), remark=told.append)
    assert told == []


async def test_where_subscriptions_cannot_be_listed_the_plan_names_them() -> None:
    azure = _Named(refused=frozenset({"subscriptions"}))
    target = await renamed(azure, _plan_named("Before"), remark=lambda _: None)
    assert target.names.name_of(SUBSCRIPTION) == "Before"
