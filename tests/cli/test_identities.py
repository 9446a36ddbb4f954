"""`--identity-file` and `--share` as they are typed: the installed program, and what it says of a wrong one."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.conftest import Program, clean_environment
from tests.emulator_wire.principals import (
    BLUE,
    CLIENTS,
    CONTRIBUTOR,
    EACH_ITS_OWN,
    GREEN,
    ONE,
    READER,
    SECRETS,
    TENANT,
    TWO,
    fleet_for,
)

from arm_emulator.protocol.throttle import limits_from
from arm_emulator.testing import running
from patchmode.documents import published

ROWS = [
    {"name": name, "tenantId": TENANT, "clientId": client, "clientSecretEnv": f"{name.upper()}_SECRET"}
    for name, client in CLIENTS.items()
]
Begin = Callable[[Mapping[str, Any]], Program]


def write(program: Program, rows: list[dict[str, Any]] | None = None, **members: Any) -> str:
    """An identity file beside the program, and its name."""
    document = {"format": "patchmode/identities/v1", "identities": ROWS if rows is None else rows, **members}
    (program.folder / "identities.json").write_text(json.dumps(document), encoding="utf-8")
    return "identities.json"


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """A fleet in which the principals have these roles, and the program with their secrets and no other sign-in."""
    opened: list[Any] = []

    def make(roles: Mapping[str, Any]) -> Program:
        context = running(fleet=fleet_for(roles), lro_seconds=0, limits=limits_from("off"))
        served = context.__enter__()
        opened.append(context)
        own = {name: value for name, value in served.env.items() if not name.startswith("AZURE_CLIENT")}
        environment = {**clean_environment(), **own, **SECRETS, "PATCHMODE_STATE_DIR": str(tmp_path / "state")}
        return Program(tmp_path, environment, served.endpoint)

    yield make
    for context in reversed(opened):
        context.__exit__(None, None, None)


def test_the_whole_story_as_two_principals(begin: Begin) -> None:
    """Audit, apply, verify and roll back what none of the two sees alone; the banner tells as whom."""
    program = begin(EACH_ITS_OWN)
    file = write(program)
    looked = program("audit", "-o", "json", PATCHMODE_IDENTITY_FILE=file)
    assert looked.code == 10
    assert json.loads(looked.out)["counts"]["machines"] == 5

    done = program("apply", "--all", "--yes", "--identity-file", file, "--share", "50%")
    assert done.code == 0, done.err
    assert f"Signed in as blue: blue (object id {BLUE}); green: green (object id" in done.err
    assert "5 applied" in done.out

    assert program("verify", "--identity-file", file).code == 0
    back = program("rollback", "latest", "--yes", "--identity-file", file)
    assert "Signed in as blue: " in back.err
    assert "5 applied" in back.out


def test_doctor_tells_who_sees_and_who_lacks_what(begin: Begin) -> None:
    program = begin({"blue": [(ONE, CONTRIBUTOR)], "green": [(ONE, READER), (TWO, CONTRIBUTOR)]})
    file = write(program)
    told = program("doctor", "--identity-file", file, COLUMNS="200")
    assert told.code == 10
    assert f"Signed in as    blue: blue (object id {BLUE}); green: green (object id {GREEN})" in told.out
    assert "missing for green: Microsoft.Compute/virtualMachines/write - apply, rollback" in told.out
    assert "missing for blue" not in told.out
    assert "seen by blue, green" in told.out

    document = json.loads(program("doctor", "-o", "json", "--identity-file", file).out)
    jsonschema.validate(document, json.loads((published.FOLDER / "doctor-v1.json").read_text(encoding="utf-8")))
    assert {name: claims["appid"] for name, claims in document["identities"].items()} == CLIENTS
    assert document["principal"] == document["identities"]["blue"]
    prod, test = document["subscriptions"]
    assert (prod["identities"], test["identities"]) == (["blue", "green"], ["green"])
    assert {entry["identity"] for entry in prod["missingActions"]} == {"green"}
    assert test["missingActions"] == []


def test_without_a_file_doctor_says_what_it_always_said(begin: Begin) -> None:
    """Members about identities are added where there are several, and nowhere else."""
    program = begin(EACH_ITS_OWN)
    own = {"AZURE_CLIENT_ID": BLUE, "AZURE_CLIENT_SECRET": SECRETS["BLUE_SECRET"]}
    document = json.loads(program("doctor", "-o", "json", **own).out)
    assert "identities" not in document
    assert "identities" not in document["subscriptions"][0]
    assert "seen by" not in program("doctor", **own).out


def test_one_that_cannot_sign_in_is_named_and_no_secret_is_told(begin: Begin) -> None:
    program = begin(EACH_ITS_OWN)
    file = write(program)
    done = program("apply", "--all", "--yes", "-v", "--identity-file", file, GREEN_SECRET="wrong-secret")
    assert (done.code, done.out) == (1, "")
    assert "identity 'green' cannot sign in" in done.err
    assert "AADSTS7000215" in done.err
    assert not any(secret in done.err for secret in (*SECRETS.values(), "wrong-secret"))
    missing = program("audit", "--identity-file", file, GREEN_SECRET="")
    assert (missing.code, missing.out) == (1, "")
    assert "identity 'green' cannot sign in: the environment variable GREEN_SECRET is not set" in missing.err


@pytest.mark.parametrize("share", ["0%", "-5%", "100.1%", "50", "0.5", "half", "nan%", "inf%", "%", "5 0%", ""])
@pytest.mark.parametrize("place", ["option", "environment"])
def test_a_share_that_is_none_is_refused(offline: Program, share: str, place: str) -> None:
    """Told before anybody signs in. An empty variable is one that is not set, as everywhere."""
    if place == "option":
        done = offline("audit", "--cloud", "AzureGermany", f"--share={share}")
    else:
        done = offline("audit", "--cloud", "AzureGermany", PATCHMODE_SHARE=share)
    if not share:
        assert "AzureGermany" in done.err
        return
    assert (done.code, done.out) == (2, "")
    assert f"{share!r} is not a share of Azure's limits" in done.err
    assert "such as 50%" in done.err


@pytest.mark.parametrize("share", ["50%", "100%", "0.5%", " 12.5 % "])
def test_a_share_that_is_one_is_taken(offline: Program, share: str) -> None:
    done = offline("audit", "--cloud", "AzureGermany", "--share", share)
    assert "AzureGermany" in done.err
    assert "share" not in done.err


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "cannot be used"),
        ([ROWS[0], ROWS[0]], "two identities are called 'blue'"),
        ([{**ROWS[0], "clientSecret": "hunter2"}], "no secret may be in this file"),
    ],
    ids=["empty", "twice", "secret"],
)
def test_a_wrong_identity_file_is_refused(offline: Program, rows: list[dict[str, Any]], told: str) -> None:
    done = offline("audit", "--identity-file", write(offline, rows))
    assert (done.code, done.out) == (2, "")
    assert "identities.json" in done.err
    assert told in " ".join(done.err.split())
    assert "hunter2" not in done.err


def test_an_identity_file_that_is_not_there(offline: Program) -> None:
    done = offline("audit", PATCHMODE_IDENTITY_FILE="nowhere.json")
    assert (done.code, done.out) == (2, "")
    assert "could not read the identity file nowhere.json: No such file or directory" in done.err
