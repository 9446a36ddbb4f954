"""A remediation task as it is asked for: whether it may be started, and the body that is sent.

Must not: ask Azure.
"""

import re
from collections.abc import Mapping
from typing import Any

from patchmode.errors import RefusedError, UsageError
from patchmode.model.policy import BuiltIn, RemediationDraft, RemediationWish
from patchmode.model.scope import Scope

_GROUP = "/providers/microsoft.management/managementgroups/"
_ASSIGNMENT = re.compile(
    r"(/subscriptions/[0-9a-f-]{36}(/resourcegroups/[^/]+)?|/providers/microsoft\.management/managementgroups/[^/]+)"
    r"/providers/microsoft\.authorization/policyassignments/[^/]+",
    re.IGNORECASE,
)


def check_wish(wish: RemediationWish) -> Scope:
    """The machines at the place of the assignment.

    Raises:
        UsageError: it is no id of an assignment at one of the three kinds of place; or Azure is to evaluate again at a
            management group, which it does not (Microsoft, "Azure Policy remediation task structure").
    """
    if not _ASSIGNMENT.fullmatch(wish.assignment_id):
        raise UsageError(
            f"{wish.assignment_id} is not the id of an assignment at a management group, a subscription or a group.",
            advice="`patchmode policy assign` prints it, and `patchmode policy audit -o json` lists those in use.",
        )
    scope = wish.scope
    if scope.lower().startswith(_GROUP):
        if wish.re_evaluate:
            raise UsageError("Azure does not evaluate again at a management group: leave --re-evaluate out.")
        return Scope(management_groups=(scope[len(_GROUP) :],))
    if "/resourcegroups/" in scope.lower():
        return Scope(resource_groups=(scope,))
    return Scope(subscriptions=(scope.rsplit("/", 1)[-1],))


def check_assignment(wish: RemediationWish, document: Mapping[str, Any] | None) -> BuiltIn:
    """The built-in that an assignment assigns.

    Args:
        wish: what was asked for.
        document: the assignment; None: there is none.

    Raises:
        RefusedError: no task is started for it, for the reason in the message.
    """
    if document is None:
        raise RefusedError(f"There is no assignment {wish.assignment_id}.", advice="Nothing was sent.")
    properties = document.get("properties") or {}
    policy = BuiltIn.of(str(properties.get("policyDefinitionId") or ""))
    kind = str((document.get("identity") or {}).get("type") or "None")
    mode = str(properties.get("enforcementMode") or "Default")
    if policy is None:
        problem = "assigns none of the three built-ins, or a set; use az policy remediation create"
    elif mode.lower() != "default":
        problem = f"has the enforcement mode {mode}, which is set while exemptions are made; assign it first"
    elif kind.lower() == "none":
        problem = "has no managed identity, so that nothing can be changed by it"
    else:
        return policy
    raise RefusedError(f"{wish.assignment_id} {problem}.", advice="Nothing was sent.")


def remediation_body(drafted: RemediationDraft) -> dict[str, Any]:
    """The task as it is sent.

    Source: azure-rest-api-specs, Microsoft.PolicyInsights 2021-10-01: a share of 1 as the percentage never stops it.
    """
    wish = drafted.wish
    return {
        "properties": {
            "policyAssignmentId": wish.assignment_id,
            "resourceDiscoveryMode": "ReEvaluateCompliance" if wish.re_evaluate else "ExistingNonCompliant",
            "resourceCount": drafted.count,
            "parallelDeployments": wish.parallel,
            "failureThreshold": {"percentage": wish.threshold / 100},
        }
    }
