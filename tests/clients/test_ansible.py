"""Ansible's azure.azcollection, which knows Azure's public cloud only, through the emulator's proxy."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.clients.conftest import Tried
from tests.clients.environments import ANSIBLE
from tests.clients.running import ARC, CONFIGURATION, FAILING, FAILS, MACHINES, PAIR, QUERY, SUBSCRIPTION, Running
from tests.unit.reports.exported import exported
from tests.unit.store.plans import change, patch_body, plan

CLIENT = ANSIBLE
OPTIONS = ("--proxy",)
FOLDER = Path(__file__).parent / "ansible"
IN_INVENTORY = 35
"""Three machines are off and two have failed, `api-03` among them; the plugin leaves these out by default."""
pytestmark = pytest.mark.clients


def test_ansible_changes_a_machine(
    tried: Tried, emulator: Running, environment: dict[str, str], tmp_path: Path
) -> None:
    """A play and an inventory: lists, reads, refusals, PATCH, tags by PUT, a query, an assignment."""
    emulator.fail(FAILING)
    own = {
        **environment,
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "QUERY": QUERY,
    }
    tried.version = _version(own)
    python = f"ansible_python_interpreter={CLIENT.program('python')}"
    done = _run([str(CLIENT.program("ansible-playbook")), str(FOLDER / "play.yml"), "-e", python], own)
    assert done.stdout.startswith("{"), done.stderr[-3000:]
    tasks = json.loads(done.stdout)["plays"][0]["tasks"]
    results: dict[str, dict[str, Any]] = {task["task"]["name"]: task["hosts"]["localhost"] for task in tasks}
    assert done.returncode == 0, {name: one.get("msg") for name, one in results.items() if one.get("failed")}

    assert len(results["list"]["vms"]) == MACHINES
    assert emulator.pages() == 3
    listed = _run([str(CLIENT.program("ansible-inventory")), "-i", str(FOLDER / "azure_rm.yml"), "--list"], own)
    assert listed.returncode == 0, listed.stderr[-3000:]
    assert len(json.loads(listed.stdout)["_meta"]["hostvars"]) == IN_INVENTORY
    inventory = f"inventory azure_rm (POST /batch): {IN_INVENTORY}, without those that are off or failed"
    tried.note("lists", f"azure_rm_virtualmachine_info: {MACHINES} machines in 3 pages; {inventory}")
    assert [one["name"] for one in results["read"]["vms"]] == ["api-01"]
    assert results["read"]["vms"][0]["power_state"] == "running"
    tried.note("reads", "azure_rm_virtualmachine_info, with the power state")
    assert emulator.settings("api-01") == {**PAIR, "assessmentMode": "ImageDefault"}
    tried.note("changes", "azure_rm_resource PATCH: both fields; azure_rm_virtualmachine: tags alone, by PUT")
    assert emulator.resource("api-04")["tags"] == {"ring": "3"}
    # Its PUT leaves the settings out, and the service keeps what a PUT leaves out.
    put = emulator.sent("PUT", "api-04")["properties"]
    assert "patchSettings" not in put["osProfile"]["linuxConfiguration"]
    assert put["storageProfile"]["osDisk"]["vhd"] == {}
    assert emulator.settings("api-04")["patchMode"] == "AutomaticByPlatform"
    assert "UnsupportedResourceOperation" in results["attach too early"]["msg"]
    assert "ScopeLocked" in results["change what is locked"]["msg"]
    tried.note("is refused", "UnsupportedResourceOperation, ScopeLocked (ignore_errors)")
    assert emulator.polls() >= 2
    tried.note(
        "polls", f"{emulator.polls()} requests by azure_rm_virtualmachine; azure_rm_resource does not poll a 200"
    )
    assert FAILS in results["tag what fails"]["msg"]
    tried.note("sees a failure", f"azure_rm_virtualmachine: {FAILS}")
    assert results["query"]["response"]["data"] == [{"name": "api-01", "mode": "AutomaticByPlatform"}]
    tried.note("queries", "azure_rm_resource POST (there is no module)")
    assert results["attach"]["response"]["properties"]["maintenanceConfigurationId"].lower() == CONFIGURATION.lower()
    tried.note("attaches", "azure_rm_resource PUT (there is no module)")
    assert {one["name"] for one in results["Arc"]["response"]} == ARC
    tried.note("Arc", "azure_rm_resource_info (there is no module)")


def test_ansible_runs_an_exported_plan(emulator: Running, environment: dict[str, str], tmp_path: Path) -> None:
    """One machine has the settings already, one is changed and compared, one was changed since the plan."""
    if why_not := CLIENT.why_not():
        pytest.skip(f"{CLIENT.told}: {why_not}")
    own = {
        **environment,
        "PATCHMODE_STATE_DIR": str(tmp_path / "state"),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    }
    scope = ("-g", "rg-app", "--name")

    def patchmode(*words: str) -> int:
        program = str(Path(sys.executable).with_name("patchmode"))
        return _run([program, *words], own, tmp_path).returncode

    assert patchmode("plan", *scope, "api-0[123]", "--out", "plan.json") == 10
    assert patchmode("export", "plan.json", "--out", "change.yml") == 0
    assert patchmode("apply", *scope, "api-01", "--yes") == 0
    assert patchmode("apply", *scope, "api-03", "--to", "keep", "--periodic-assessment", "on", "--yes") == 0
    before, sent = emulator.settings("api-03"), len(emulator.requests())
    command = [str(CLIENT.program("ansible-playbook")), "change.yml", "-e", "wait_s=1"]
    done = _run([*command, "-e", f"ansible_python_interpreter={CLIENT.program('python')}"], own, tmp_path)
    asked = emulator.requests()[sent:]
    assert "PLAY [1 of 3 rg-app/api-01]" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 2, done.stdout[-3000:]
    assert "Not found, or changed since the plan. Nothing was sent to it." in done.stdout + done.stderr
    assert [one["path"].rpartition("/")[2] for one in asked if one["method"] == "PATCH"] == ["api-02"]
    assert emulator.sent("PATCH", "api-02") == {
        "properties": {"osProfile": {"linuxConfiguration": {"patchSettings": PAIR}}}
    }
    assert emulator.settings("api-02") == {**PAIR, "assessmentMode": "ImageDefault"}
    assert emulator.resource("api-02")["properties"]["provisioningState"] == "Succeeded"
    assert emulator.settings("api-03") == before


_HOSTILE = "m{{ 1/0 }}{% x %}{# y\"'\n\u202em"
_WRITES = """
  tasks:
    - ansible.builtin.copy: {content: "{{ machine | to_json }}", dest: "{{ playbook_dir }}/read.json"}
"""


def test_ansible_replaces_nothing_in_the_texts_of_a_plan(tmp_path: Path) -> None:
    """Jinja in an etag or a value is a text of Azure's, and no template of ours."""
    if why_not := CLIENT.why_not():
        pytest.skip(f"{CLIENT.told}: {why_not}")
    body = patch_body({"patchMode": _HOSTILE})
    text = exported(plan(replace(change(etag=_HOSTILE), body=body, location=_HOSTILE)), "ansible")
    (tmp_path / "play.yml").write_text(text.partition("\n  tasks:")[0] + _WRITES, encoding="utf-8")
    own = {**os.environ, "ANSIBLE_HOME": str(tmp_path / "ansible"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    command = [str(CLIENT.program("ansible-playbook")), "play.yml"]
    done = _run([*command, "-e", f"ansible_python_interpreter={CLIENT.program('python')}"], own, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    read = json.loads((tmp_path / "read.json").read_text(encoding="utf-8"))
    assert (read["etag"], read["body"]) == (_HOSTILE, body)


def _version(environment: dict[str, str]) -> str:
    core = _run([str(CLIENT.program("ansible")), "--version"], environment).stdout.split("]")[0].rpartition(" ")[2]
    listed = _run([str(CLIENT.program("ansible-galaxy")), "collection", "list", "--format", "json"], environment)
    folders: dict[str, dict[str, dict[str, str]]] = json.loads(listed.stdout)
    collection = next(found["azure.azcollection"] for found in folders.values() if "azure.azcollection" in found)
    return f"{collection['version']}, ansible-core {core}"


def _run(
    command: list[str], environment: dict[str, str], folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
