"""The rules on every recorded machine: real documents hold what no strategy thinks of."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.rules.builders import machine_from, served

from patchmode.model.left_alone import Skipped
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Change, Unchanged
from patchmode.model.resource_id import ResourceIdError
from patchmode.rules.eligibility.judgement import audit_machine
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.precondition import since_plan
from patchmode.rules.settings.rollback import plan_rollback_of
from patchmode.rules.settings.verification import differences

RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "recordings"
GROUPS = ("vm_get", "vm_get_instanceview", "vm_list")
WISHES = (
    WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES),
    WantedSettings(Orchestration.AZURE_MANAGED, periodic_assessment=True),
    WantedSettings(Orchestration.AUTOMATIC_BY_OS),
    WantedSettings(Orchestration.IMAGE_DEFAULT, periodic_assessment=False),
)

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded exchanges are not beside this checkout")


def documents(group: str) -> Iterator[dict[str, Any]]:
    """Every machine document of a group of recordings."""
    for path in sorted((RECORDINGS / group).glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))["response"]["body"]
        found = body.get("value", [body]) if isinstance(body, dict) else []
        yield from (document for document in found if "storageProfile" in document.get("properties", {}))


@pytest.mark.parametrize("wanted", WISHES, ids=lambda wanted: wanted.orchestration.value)
@pytest.mark.parametrize("group", GROUPS)
def test_recorded_machines_are_planned_verified_and_undone(group: str, wanted: WantedSettings) -> None:
    """Nothing crashes; what is planned verifies, is not verified before, and can be undone where the plan says so."""
    seen = 0
    for document in documents(group):
        try:
            machine = machine_from(document)
        except ResourceIdError:
            continue  # a recorder replaced the subscription's guid by a word
        seen += 1
        audit_machine(machine, wanted)
        planned = plan_machine(machine, wanted)
        assert isinstance(planned, Change | Unchanged | Skipped)
        if isinstance(planned, Change):
            check_change(planned)
    assert seen > 20


def check_change(change: Change) -> None:
    """One recorded machine through plan, apply, verify and rollback."""
    after = served(change.document, change.body)
    assert differences(change, after) == ()
    assert since_plan(change, copy.deepcopy(dict(change.document))).all == ()
    assert since_plan(change, after).depended_on != ()
    undone = plan_rollback_of(change, machine_from(after), allow_azure_managed=True)
    assert isinstance(undone, Change) is change.reversible
    if isinstance(undone, Change):
        assert differences(undone, served(undone.document, undone.body)) == ()
