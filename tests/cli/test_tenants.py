"""Several tenants: subscriptions that Azure Lighthouse delegates, and one audit over several sign-ins."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.conftest import Program, clean_environment

from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.directory import DEFAULT_OBJECT
from arm_emulator.fleet_documents import group_id
from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.tenants_fleet import CONTOSO, CONTOSO_WEEKLY, FABRIKAM, SHOP, tenants_fleet
from arm_emulator.testing import running
from patchmode.documents import published

DELEGATED = f"(Fabrikam Shop is delegated by tenant {FABRIKAM})"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SHOP_02 = f"{group_id(SHOP, 'rg-shop')}/providers/Microsoft.Compute/virtualMachines/shop-02"


def begun(folder: Path, fleet: dict[str, Any], **options: Any) -> Iterator[Program]:
    with running(fleet=fleet, lro_seconds=0, limits=limits_from("off"), **options) as served:
        environment = {**clean_environment(), **served.env, "PATCHMODE_STATE_DIR": str(folder / "state")}
        yield Program(folder, environment, served.endpoint)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The fleet, and the program signed in to Contoso."""
    yield from begun(tmp_path, tenants_fleet())


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Program]:
    """The same where Fabrikam lets Contoso read only."""
    fleet = tenants_fleet()
    fleet["subscriptions"][2]["delegations"][0]["authorizations"] = [
        {"principalId": DEFAULT_OBJECT, "roleDefinitionId": READER}
    ]
    yield from begun(tmp_path, fleet)


@pytest.fixture
def accepting(tmp_path: Path) -> Iterator[Program]:
    """The same where Azure would take a schedule of another tenant."""
    yield from begun(tmp_path, tenants_fleet(), profile=Profile(assignment_across_tenants="accepted"))


def checked(text: str, name: str) -> Any:
    """A document that is as its schema says."""
    document = json.loads(text)
    jsonschema.validate(document, json.loads((published.FOLDER / f"{name}.json").read_text(encoding="utf-8")))
    return document


# ------------------------------------------------------------------------------------------------ delegated


@pytest.mark.parametrize(
    ("words", "is_told"),
    [
        ("audit", True),
        ("audit -s 'Contoso Production'", False),
        ("explain shop-01", True),
        ("explain web-01", False),
        ("plan --all", True),
        ("schedule list", True),
        ("schedule check", True),
        ("schedule failures --all --since 7d", False),  # no run, so no subscription is named
        ("policy audit --all", True),
    ],
)
def test_a_delegated_subscription_is_told_where_it_is_spoken_of(program: Program, words: str, is_told: bool) -> None:
    done = program(*shlex.split(words), COLUMNS="400")
    assert done.code in (0, 10), done.err
    assert (DELEGATED in done.out) is is_told, done.out


def test_documents_name_the_home_tenant_of_delegated_subscriptions_alone(program: Program) -> None:
    document = checked(program("audit", "-o", "json").out, "audit-v1")
    assert document["target"]["tenantId"] == CONTOSO
    assert {one["subscriptionId"]: one.get("homeTenantId") for one in document["subscriptions"]} == {
        PRODUCTION: None,
        SHOP: FABRIKAM,
    }
    rows = checked(program("doctor", "-o", "json").out, "doctor-v1")["subscriptions"]
    assert [one.get("homeTenantId") for one in rows] == [None, FABRIKAM]
    assert f"delegated by tenant {FABRIKAM}, through Azure Lighthouse" in program("doctor").out


def test_a_run_across_tenants_says_so_before_and_after(program: Program) -> None:
    """The plan file keeps it, so that the run, its report and its undoing say it as well."""
    done = program("apply", "--all", "--yes", COLUMNS="400")
    assert done.code == 0, done.err
    assert f"Writing to   arm-emulator (https://ENDPOINT), tenant {CONTOSO} {DELEGATED}" in done.err
    assert DELEGATED in done.out
    assert DELEGATED in program("runs", "show", "latest", COLUMNS="400").out
    back = program("rollback", "latest", "--yes", COLUMNS="400")
    assert back.code == 0, back.err
    assert DELEGATED in back.err


def test_what_is_missing_is_asked_of_the_owner(reading: Program) -> None:
    """`az role assignment create` gives nothing to a principal of another tenant."""
    doctor = reading("doctor", COLUMNS="400")
    assert doctor.code == 10
    asked = f"Ask tenant {FABRIKAM} to delegate the role 'Virtual Machine Contributor' on /subscriptions/{SHOP}"
    assert asked in doctor.out
    assert "az role assignment create" not in doctor.out
    assert "Azure Lighthouse delegates built-in roles only." in doctor.out
    refused = reading("apply", "-s", "Fabrikam Shop", "--yes", COLUMNS="400")
    assert refused.code == 12
    assert asked in refused.err
    assert "az role assignment create" not in refused.err


# ------------------------------------------------------------------------------------------------ schedules


def test_a_plan_attaches_no_schedule_of_another_tenant(accepting: Program) -> None:
    """Also where Azure would take it: nobody has said that it would run."""
    done = accepting("plan", "--all", "--then-attach", "contoso-weekly", COLUMNS="400")
    assert done.code == 12
    assert "--then-attach cannot be used for 2 of the plan's 4 machines: contoso-weekly belongs to tenant" in done.err
    assert accepting("plan", "-s", "Fabrikam Shop", "--then-attach", "shop-weekly").code == 10


def test_schedule_attach_refuses_machines_of_another_tenant(accepting: Program) -> None:
    done = accepting("schedule", "attach", CONTOSO_WEEKLY, "--ids", SHOP_02, "--yes", COLUMNS="400")
    assert done.code == 11
    assert "schedule-of-other-tenant (1)" in done.out
    assert f"contoso-weekly belongs to tenant {CONTOSO}, and the machine to tenant {FABRIKAM}" in done.out
    dynamic = ("schedule", "attach", CONTOSO_WEEKLY, "--dynamic", "all", "-s", SHOP, "--filter-os", "linux", "--yes")
    scoped = accepting(*dynamic, COLUMNS="400")
    assert scoped.code == 12, scoped.err
    assert f"and the dynamic scope to tenant {FABRIKAM}" in scoped.err


def test_a_schedule_is_proposed_within_its_tenant(program: Program) -> None:
    """Machines of one tenant: that one's; of several: none."""
    own = program("audit")
    assert "patchmode schedule attach contoso-weekly" in own.out  # web-02 alone has none
    assert "--then-attach shop-weekly" in program("plan", "-s", "Fabrikam Shop").out
    both = program("plan", "--all", "-o", "json")
    seen = checked(both.out, "plan-v1")["patchedByNobody"]
    assert (seen["usable"], seen["create"], seen["acrossTenants"]) == ([], [], True)
    assert (
        "belong to several tenants, and a schedule is attached within its own"
        in program("plan", "--all", COLUMNS="400").out
    )
