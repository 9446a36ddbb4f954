"""Several tenants: subscriptions that Azure Lighthouse delegates, and one audit over several sign-ins."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from tests.cli.conftest import Program, clean_environment
from tests.cli.test_help import COMMANDS

from arm_emulator.demo_fleet import PRODUCTION
from arm_emulator.directory import DEFAULT_CLIENT, DEFAULT_OBJECT, DEFAULT_SECRET
from arm_emulator.fleet_documents import group_id
from arm_emulator.profile import Profile
from arm_emulator.protocol.throttle import limits_from
from arm_emulator.tenants_fleet import (
    CONTOSO,
    CONTOSO_WEEKLY,
    FABRIKAM,
    FABRIKAM_CLIENT,
    FACTORY,
    SHOP,
    SHOP_WEEKLY,
    tenants_fleet,
)
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


# ------------------------------------------------------------------------------------------------ several sign-ins

WEB_01 = f"{group_id(PRODUCTION, 'rg-app')}/providers/Microsoft.Compute/virtualMachines/web-01"
MES_01 = f"{group_id(FACTORY, 'rg-factory')}/providers/Microsoft.Compute/virtualMachines/mes-01"
PRINCIPALS = [
    {"name": "contoso", "tenantId": CONTOSO, "clientId": DEFAULT_CLIENT, "clientSecretEnv": "CONTOSO_SECRET"},
    {"name": "fabrikam", "tenantId": FABRIKAM, "clientId": FABRIKAM_CLIENT, "clientSecretEnv": "FABRIKAM_SECRET"},
]


def with_principals(program: Program) -> Program:
    document = {"format": "patchmode/identities/v1", "identities": PRINCIPALS}
    (program.folder / "identities.json").write_text(json.dumps(document), encoding="utf-8")
    secrets = {"CONTOSO_SECRET": DEFAULT_SECRET, "FABRIKAM_SECRET": DEFAULT_SECRET}
    program.environment |= {"PATCHMODE_IDENTITY_FILE": "identities.json", **secrets}
    return program


@pytest.fixture
def several(program: Program) -> Program:
    """The program with an identity file of both tenants."""
    return with_principals(program)


def test_one_audit_of_several_tenants(several: Program) -> None:
    """Each machine once, that of the delegated subscription as its owner's; one table, and the figures of each."""
    done = several("audit", COLUMNS="400")
    assert done.code == 10, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0][:3] == ["TENANT", "SUBSCRIPTION", "GROUP"]
    table = [(line[0], line[4]) for line in lines[1:7]]
    assert table == [
        ("Contoso", "web-01"),
        ("Contoso", "web-02"),
        ("Fabrikam", "mes-01"),
        ("Fabrikam", "mes-02"),
        ("Fabrikam", "shop-01"),
        ("Fabrikam", "shop-02"),
    ]
    assert "on arm-emulator (https://ENDPOINT), 2 tenants\n" in done.out
    assert f"  Contoso ({CONTOSO}): 2 machines: 1 compliant, 1 eligible, 0 blocked;" in done.out
    assert f"  Fabrikam ({FABRIKAM}): 4 machines: 1 compliant, 3 eligible, 0 blocked;" in done.out
    assert f"patchmode audit --tenant {CONTOSO}" in done.out

    document = checked(several("audit", "-o", "json").out, "audit-v1")
    assert document["target"]["tenantId"] == ""
    assert [(one["tenantId"], one["displayName"], one["counts"]["machines"]) for one in document["tenants"]] == [
        (CONTOSO, "Contoso", 2),
        (FABRIKAM, "Fabrikam", 4),
    ]
    assert {one["name"]: one["tenantId"] for one in document["machines"]} == {
        name: CONTOSO if name.startswith("web") else FABRIKAM
        for name in ("web-01", "web-02", "mes-01", "mes-02", "shop-01", "shop-02")
    }
    assert not any("homeTenantId" in one for one in document["subscriptions"])


def test_with_one_tenant_nothing_of_it_is_there(several: Program) -> None:
    done = several("audit", "--tenant", FABRIKAM, COLUMNS="400")
    assert "TENANT" not in done.out
    assert "By tenant" not in done.out
    document = checked(several("audit", "--tenant", FABRIKAM.upper(), "-o", "json").out, "audit-v1")
    assert document["target"]["tenantId"] == FABRIKAM
    assert "tenants" not in document
    assert not any("tenantId" in one for one in document["machines"])


def test_a_tenant_that_cannot_be_read_is_a_part_that_is_missing(several: Program) -> None:
    """Told with its id and reason, as unreadable, with the exit code of findings; a secret is not repeated."""
    done = several("audit", COLUMNS="400", FABRIKAM_SECRET="wrong-secret")
    assert done.code == 10
    assert "1 of 2 tenants" in done.out
    assert DELEGATED in done.out  # Nobody else reads it, so it is Contoso's view of it.
    assert f"  {FABRIKAM}: could not be read; the reason is below." in done.out
    assert f"Could not be read (1):\n  tenant {FABRIKAM}\n" in done.out
    assert "identity 'fabrikam' cannot sign in" in done.out
    assert "wrong-secret" not in done.out + done.err
    document = checked(several("audit", "-o", "json", FABRIKAM_SECRET="wrong-secret").out, "audit-v1")
    assert document["counts"]["unreadable"] == 1
    assert [one["counts"] is None for one in document["tenants"]] == [False, True]
    none = several("audit", CONTOSO_SECRET="wrong-secret", FABRIKAM_SECRET="wrong-secret")
    assert (none.code, none.out) == (1, "")


@pytest.mark.parametrize(
    ("words", "code", "machines"),
    [
        (("-s", "Fabrikam Factory"), 10, ["mes-01", "mes-02"]),
        (("-s", FACTORY, "-g", "rg-app"), 10, ["web-01", "web-02", "mes-01", "mes-02"]),
        (("--ids", WEB_01, MES_01), 10, ["web-01", "mes-01"]),
        (("-g", "rg-shop"), 10, ["shop-01", "shop-02"]),
        (("--name", "shop-02"), 0, ["shop-02"]),
        (("-s", "nowhere"), 2, []),
        (("-g", "nowhere"), 3, []),
    ],
)
def test_a_scope_is_looked_for_in_every_tenant(
    several: Program, words: tuple[str, ...], code: int, machines: list[str]
) -> None:
    done = several("audit", *words, "-o", "json")
    assert done.code == code, done.err
    if machines:
        document = json.loads(done.out)
        assert [one["name"] for one in document["machines"]] == machines
        assert document["unreadable"] == []
    else:
        assert "nowhere" in done.err


def test_a_report_of_several_tenants(several: Program) -> None:
    """Live, and from a saved audit; a baseline of watch it is not."""
    markdown = several("report", "-o", "markdown").out
    assert f"| Tenant | Contoso ({CONTOSO}): 2 machines, 1 with findings |" in markdown
    metrics = several("report", "-o", "prometheus").out
    assert [f'tenant="{one}"' in metrics for one in (CONTOSO, FABRIKAM)] == [True, True]
    saved = several.folder / "audit.json"
    saved.write_text(several("audit", "-o", "json").out, encoding="utf-8")
    assert (
        f"| Tenant | Fabrikam ({FABRIKAM}): 4 machines, 3 with findings |"
        in several("report", "--from", "audit.json", "-o", "markdown").out
    )
    refused = several("watch", "--baseline", "audit.json", "--all", "--count", "1", "--tenant", CONTOSO)
    assert refused.code == 12
    assert "audit.json is an audit of several tenants, and `patchmode watch` works in one." in refused.err


CREATE = f"-s {PRODUCTION} -g rg-app --location westeurope '--start=2030-01-05 03:00' --duration 02:00 --time-zone UTC"
READ_ALL = {"audit", "report"}
"""What reads every tenant of the identity file."""
WITHOUT_SIGN_IN = {
    *("completion", "demo", "evidence check", "export", "iac check", "mcp", "schema"),
    *("runs list", "runs merge", "runs show"),
}
"""What signs in to nothing; a command of an assistant's session is refused like any other."""
IN_ONE: dict[str, str] = {
    "apply": "--all --yes",
    "console": "--port 0",
    "doctor": "",
    "evidence pack": "latest --out evidence.zip",
    "explain": "web-01",
    "live-check": f"--vm {WEB_01} --yes",
    "plan": "--all",
    "policy assign": "prerequisite -s 'Contoso Production' --location westeurope --yes",
    "policy audit": "--all",
    "policy remediate": f"/subscriptions/{PRODUCTION}/providers/Microsoft.Authorization/policyAssignments/x --yes",
    "rollback": "latest --yes",
    "runs resume": "",  # not walked: it needs a run that was stopped, and signs in as `apply FILE` does
    "schedule attach": f"contoso-weekly --ids {WEB_01} --yes",
    "schedule check": "",
    "schedule create": f"new {CREATE} --recur Day --yes",
    "schedule delete": "contoso-weekly --yes",
    "schedule detach": f"contoso-weekly --ids {WEB_01} --yes",
    "schedule failures": "--all --since 7d",
    "schedule list": "",
    "schedule next": "",
    "schedule show": SHOP_WEEKLY,
    "schedule update": "contoso-weekly --duration 03:30 --yes",
    "verify": "--all",
    "watch": "--all --count 1",
}
"""What works in one tenant, with the words that bring it to its sign-in."""


def test_every_command_is_told_what_it_does_with_several_tenants() -> None:
    leaves = {path for path, (command, _) in COMMANDS.items() if not isinstance(command, click.Group)}
    assert leaves == READ_ALL | WITHOUT_SIGN_IN | set(IN_ONE)


@pytest.mark.parametrize("path", sorted(set(IN_ONE) - {"runs resume"}))
def test_what_works_in_one_tenant_asks_which(several: Program, path: str) -> None:
    """In one line with the tenants, and the command for each, which is no longer refused for that reason."""
    if path in {"rollback", "evidence pack"}:
        assert several("apply", "-s", "Contoso Production", "--yes", "--tenant", CONTOSO).code == 0
    words = [*path.split(), *shlex.split(IN_ONE[path])]
    done = several(*words)
    assert done.code == 2, done.err
    assert done.out == ""
    named = f"{CONTOSO} (contoso), {FABRIKAM} (fabrikam)"
    assert f"identities.json names 2 tenants, and this command works in one: {named}." in done.err
    commands = [line for line in done.err.splitlines() if line.startswith("patchmode ") and "--tenant" in line]
    assert [shlex.split(line)[1:] for line in commands] == [[*words, "--tenant", one] for one in (CONTOSO, FABRIKAM)]
    if path != "console":
        assert "names 2 tenants" not in several(*shlex.split(commands[0])[1:]).err


def test_a_tenant_that_the_file_does_not_have(several: Program) -> None:
    done = several("audit", "--tenant", "99999999-9999-9999-9999-999999999999")
    assert done.code == 2
    assert "has nobody of tenant 99999999-9999-9999-9999-999999999999; it names" in done.err


def test_the_tenant_is_chosen_without_a_file_too(program: Program) -> None:
    """The principal of the environment is of one tenant; the sign-in to another is refused by Entra."""
    assert program("doctor", "--tenant", CONTOSO).code == 0
    refused = program("doctor", PATCHMODE_TENANT=FABRIKAM)
    assert refused.code == 1
    assert "AADSTS700016" in refused.err
