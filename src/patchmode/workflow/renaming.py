"""The names of a plan's subscriptions as Azure has them now: a plan may be old, and a file may say anything.

Must not: refuse a plan because of a name; its machines are told by their ids.
"""

from collections.abc import Callable
from dataclasses import replace

from patchmode.errors import RequestError
from patchmode.model.plain_text import printable
from patchmode.model.plan import Plan
from patchmode.model.target import Target
from patchmode.workflow.ports import Azure


async def renamed(azure: Azure, plan: Plan, *, remark: Callable[[str], None]) -> Target:
    """A plan's target with the names that its subscriptions have now.

    Args:
        azure: a connection to that target; one list is read.
        plan: may hold names.
        remark: is told, one sentence each, of every subscription that is called otherwise now.

    Returns:
        With the plan's own names where the subscriptions cannot be listed, and for those that are not in the list.
    """
    try:
        await azure.authorization.subscriptions()
    except RequestError:
        return replace(azure.target, names=plan.target.names)
    before, now = plan.target.names, azure.target.names
    target = replace(azure.target, names=now.joined(before)).with_names_of(plan.subscription_ids)
    known = dict(target.names.pairs)
    for subscription_id, was in before.pairs:
        found = known.get(subscription_id, was)
        if found != was:
            remark(f"{subscription_id} is named '{printable(found)}' now, and was '{printable(was)}' in the plan.")
    return target
