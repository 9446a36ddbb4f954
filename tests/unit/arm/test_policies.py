"""Documents of policies as their provider answers them, odd ones included."""

from datetime import UTC, datetime
from typing import Any

import pytest

from patchmode.arm.policies import assignment_of, definition_of, exemption_of, set_of

SCOPE = "/subscriptions/11111111-1111-1111-1111-111111111111"
ID = f"{SCOPE}/providers/Microsoft.Authorization/policyAssignments/a"
DEFINITION = "/providers/Microsoft.Authorization/policyDefinitions/d"


def test_an_assignment_with_little_in_it() -> None:
    """Its scope is in its id, and a member of another type than Azure's is left out."""
    one = assignment_of(
        {
            "id": ID,
            "properties": {
                "policyDefinitionId": DEFINITION,
                "notScopes": "x",
                "parameters": {"a": 1, "b": {"value": 0}},
            },
        }
    )
    assert (one.name, one.scope, one.not_scopes, dict(one.parameters)) == ("a", SCOPE, (), {"b": 0})
    assert (one.enforcement, one.identity_type, one.principal_id) == ("Default", "None", None)


@pytest.mark.parametrize("document", [{}, {"id": ID}, {"id": 5, "properties": {"policyDefinitionId": DEFINITION}}])
def test_an_assignment_that_cannot_be_read(document: dict[str, Any]) -> None:
    """It is told as such: it may be any assignment."""
    with pytest.raises(ValueError, match="it "):
        assignment_of(document)


def test_an_exemption_ends_at_an_instant() -> None:
    """Azure writes seven digits of a second. An end that is not a time must not be taken for none."""
    document = {
        "id": f"{SCOPE}/providers/Microsoft.Authorization/policyExemptions/e",
        "properties": {"policyAssignmentId": ID},
    }
    document["properties"]["expiresOn"] = "2026-05-01T10:00:00.1234567Z"  # type: ignore[index]
    assert exemption_of(document).expires_on == datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
    for odd in ("soon", "2026-05-01T10:00:00"):
        document["properties"]["expiresOn"] = odd  # type: ignore[index]
        with pytest.raises(ValueError, match=r"expiresOn|isoformat"):
            exemption_of(document)


def test_a_definition_without_a_rule_and_a_set_with_an_odd_reference() -> None:
    """Neither is evaluated as if it were empty."""
    with pytest.raises(ValueError, match="policyRule"):
        definition_of({"id": DEFINITION, "properties": {}})
    with pytest.raises(ValueError, match="names no definition"):
        set_of({"id": "/s", "properties": {"policyDefinitions": [{}]}})
