"""Drift as cron and CI see it: set back by a person, by Terraform, by a policy; each is told, and nothing else is."""

import json
import os
import signal
import ssl
from pathlib import Path
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import jsonschema
import pytest
from tests.cli.conftest import Program, Start

from arm_emulator.profile import Profile
from patchmode.documents.published import render_schemas

GROUP = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
LEAST = {"patchMode": "AutomaticByOS"}


def call(program: Program, method: str, url: str, body: Any = None, **headers: str) -> Any:
    """One request with the server's trust, and an answer in JSON."""
    served = program.served  # type: ignore[attr-defined]
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl.create_default_context(cafile=served.ca)))
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = Request(f"{served.endpoint}{url}", data=data, method=method, headers={"Content-Type": "application/json"})
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    with opener.open(request, timeout=60) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def sign_in(program: Program) -> str:
    environment = program.environment
    form = (
        f"grant_type=client_credentials&client_id={environment['AZURE_CLIENT_ID']}"
        f"&client_secret={environment['AZURE_CLIENT_SECRET']}&scope={program.endpoint}/.default"
    )
    url = f"/{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    answer = call(program, "POST", url, form.encode(), Content_Type="application/x-www-form-urlencoded")
    return str(answer["access_token"])


def set_back(program: Program, name: str, settings: dict[str, Any], *, agent: str, system: str = "windows") -> None:
    body = {"properties": {"osProfile": {f"{system}Configuration": {"patchSettings": settings}}}}
    call(
        program,
        "PATCH",
        f"{VM}/{name}?api-version=2024-07-01",
        body,
        Authorization=f"Bearer {sign_in(program)}",
        User_Agent=agent,
    )


def baseline(program: Program, *scope: str) -> Path:
    path = program.folder / "base.json"
    path.write_text(program("audit", *scope, "-o", "json").out.replace("https://ENDPOINT", program.endpoint))
    return path


def looked(program: Program, *args: str) -> tuple[int, list[Any]]:
    done = program("watch", "--once", "--baseline", "base.json", "-o", "jsonl", *args)
    rows = [json.loads(line) for line in done.out.splitlines()]
    schema = json.loads(render_schemas()["drift-v1.json"])
    for row in rows:
        jsonschema.validate(row, schema)
    return done.code, rows


def test_nothing_moved_is_nothing_to_report(start: Start) -> None:
    program = start("small")
    baseline(program)
    assert looked(program) == (0, [])


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        ("HashiCorp Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-azurerm/4.1.0", "Terraform"),
        ("AZURECLI/2.64.0", "Azure CLI"),
        ("Mozilla/5.0 (a person's browser)", "Unknown"),
        ("azure-policy-remediation", "Unknown"),
    ],
    ids=["terraform", "cli", "person", "policy"],
)
def test_each_hand_that_sets_a_machine_back_is_reported(start: Start, agent: str, client: str) -> None:
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    baseline(program)
    set_back(program, "web-01", LEAST, agent=agent)
    code, rows = looked(program)
    assert code == 10
    (row,) = rows
    assert (row["id"], row["change"]) == (f"{VM}/web-01", "changed")
    moved = {move["field"]: (move["before"], move["after"]) for move in row["fields"]}
    assert moved["patchMode"] == ("AutomaticByPlatform", "AutomaticByOS")
    assert moved["orchestration"] == ("CustomerManagedSchedules", "AutomaticByOS")
    assert (row["outcomeBefore"], row["outcomeAfter"]) == ("parked", "guest-managed")
    # Who, in the words of Resource Graph's own record.
    assert row["author"]["clientType"] == client
    assert row["author"]["changedBy"] == program.environment["AZURE_CLIENT_ID"]
    assert row["author"]["operation"].casefold() == "microsoft.compute/virtualmachines/write"


def test_lines_for_people_fit_and_tell_all(start: Start) -> None:
    program = start("small")
    assert program("apply", "--all", "--yes", "-q").code == 0
    baseline(program)
    set_back(program, "web-01", LEAST, agent="Terraform")
    done = program("watch", "--once", "--baseline", "base.json")
    assert done.code == 10
    lines = done.out.splitlines()
    assert lines[0] == "~ rg-app/web-01"
    assert '    patchMode: "AutomaticByPlatform" -> "AutomaticByOS"' in lines
    assert "    outcome: parked -> guest-managed" in lines
    assert any(line.startswith("    by: ") and "with Terraform" in line for line in lines)


@pytest.mark.parametrize("path", ["tag", "tags"])
def test_verify_tells_who_changed_what_the_run_left_alone(start: Start, path: str) -> None:
    """A tag set after the run is no fault of it; the author is Azure's own record, read over the wire."""
    program = start("small", profile=Profile(change_tag_path=path))  # type: ignore[arg-type]
    assert program("apply", "--all", "--yes", "-q").code == 0
    call(
        program,
        "PATCH",
        f"{VM}/web-01?api-version=2024-07-01",
        {"tags": {"owner": "somebody"}},
        Authorization=f"Bearer {sign_in(program)}",
        User_Agent="Terraform",
    )
    done = program("verify", "latest", "-o", "json")
    assert done.code == 0, done.out
    rows = [later for row in json.loads(done.out)["results"] for later in row.get("changedLater", ())]
    assert rows
    client = program.environment["AZURE_CLIENT_ID"]
    assert {(row["changedBy"], row["clientType"]) for row in rows} == {(client, "Terraform")}
    assert all(row["timestamp"] for row in rows)
    assert f"(by {client} with Terraform at " in program("verify", "latest").out


def test_machine_that_is_deleted_is_gone_and_nobody_is_guessed(start: Start) -> None:
    program = start("small")
    baseline(program)
    token = sign_in(program)
    call(program, "DELETE", f"{VM}/db-02?api-version=2024-07-01", Authorization=f"Bearer {token}")
    code, rows = looked(program)
    assert code == 10
    assert [(row["id"], row["change"], row["author"]) for row in rows] == [(f"{VM}/db-02", "went", None)]


def test_ctrl_c_between_two_looks_ends_cleanly(start: Start) -> None:
    program = start("small")
    process = program.beside("watch", "--all", "--interval", "60m", "--until-change")
    assert process.stderr is not None
    assert "from now on only changes are shown" in process.stderr.readline()
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in err


def test_look_that_fails_is_no_drift(start: Start) -> None:
    program = start("small")
    baseline(program)
    done = program("watch", "--once", "--baseline", "base.json", PATCHMODE_CLOUD="https://localhost:1")
    assert (done.code, done.out) == (1, "")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--once"], 2, "nothing to be compared with"),
        (["--interval", "soon"], 2, "is not a duration"),
        (["--baseline", "nope.json"], 2, "could not read the baseline"),
        (["--baseline", "broken.json"], 12, "is cut short"),
        (["-o", "csv"], 2, "watch prints lines"),
        (["--count", "0"], 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_watched(offline: Program, args: list[str], code: int, words: str) -> None:
    (offline.folder / "broken.json").write_text('{"format": "patchmode/audit/v1", ')
    done = offline("watch", *args)
    assert (done.code, done.out) == (code, "")
    assert words in done.err


def test_baseline_of_another_scope_or_target_is_refused(start: Start) -> None:
    program = start("small")
    path = baseline(program, "-g", "rg-app")
    other = program("watch", "--once", "--baseline", "base.json")
    assert (other.code, other.out) == (2, "")
    assert "The baseline was made with --resource-group rg-app" in other.err
    document = json.loads(path.read_text())
    document["target"]["tenantId"] = "88888888-8888-8888-8888-888888888888"
    path.write_text(json.dumps(document))
    assert program("watch", "-g", "rg-app", "--once", "--baseline", "base.json").code == 12
