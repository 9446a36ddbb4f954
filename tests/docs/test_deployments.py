"""The ready-made definitions: validators accept them, their scripts run, and a scope is divided exactly once."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from inspect import get_annotations
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from azure.mgmt.appcontainers import models
from tests.docs.conftest import Terminal
from tests.docs.pages import ROOT, name_of, read
from tests.docs.test_pages import _calls, _check_call

from patchmode.model.scope import Shard

DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
SCRIPT = DEPLOY / "shard.sh"
SCRIPTS = sorted(DEPLOY.rglob("*.sh"))
WORKFLOWS = sorted([*DEPLOY.glob("github-*.yaml"), *(ROOT / ".github/workflows").glob("*.yaml")])
BEGIN = "pipx install "
"""What needs a machine of GitHub or Azure DevOps, and is done here already."""


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, Any]:
    """Its documents by kind and name."""
    documents = yaml.safe_load_all(read(DEPLOY / "kubernetes.yaml"))
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in documents}


@pytest.fixture(scope="module")
def workflow() -> Any:
    """The workflow of GitHub Actions."""
    return yaml.safe_load(read(DEPLOY / "github-actions.yaml"))


@pytest.fixture(scope="module")
def template() -> Any:
    """The deployment template of Container Apps jobs."""
    return json.loads(read(DEPLOY / "container-apps-jobs.json"))


def container(job: Any) -> Any:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return found


def environment(found: Any) -> dict[str, str]:
    return {one["name"]: one["value"] for one in found.get("env", [])}


def check(command: str) -> None:
    calls = list(_calls(command))
    assert calls, command
    for words in calls:
        _check_call(words, command)


def test_the_script_calls_commands_that_exist() -> None:
    """Every line of it."""
    text = read(SCRIPT)
    lines = [line.split(">")[0] for line in text.splitlines() if re.search(r"\bpatchmode \w", line) and line[0] != "#"]
    assert len(lines) == 3
    for line in lines:
        check(line.replace("runs=$(", "").replace('"$@" ${CARRYING:-}', "").rstrip(")"))


def test_kubernetes_gives_each_index_a_shard(kubernetes: dict[str, Any]) -> None:
    """Its own shell line, run for every index: the numbers 1 to N, each once, and N as many as there are."""
    spec = kubernetes["Job/patchmode-shards"]["spec"]
    found = container(kubernetes["Job/patchmode-shards"])
    assert spec["completionMode"] == "Indexed"
    told = [given(found, index) for index in range(spec["completions"])]
    words = [line.split() for line in told]
    assert [Shard.parse(line[0]) for line in words] == [
        Shard(number, spec["completions"]) for number in range(1, spec["completions"] + 1)
    ]
    assert all(line[1:] == found["args"] for line in words)
    check(shlex.join(["patchmode", "apply", *found["args"], *environment(found)["CARRYING"].split()]))
    check(shlex.join(["patchmode", "runs", "resume", *environment(found)["CARRYING"].split()]))


def given(found: Any, index: int) -> str:
    """What the script of the image would be called with: its shard and its arguments."""
    command = [*found["command"], *found["args"]]
    assert command[0] == "/bin/sh"
    command[2] = command[2].replace("exec patchmode-shard", "exec sh -c 'echo $PATCHMODE_SHARD $*' told")
    variables = {**environment(found), "JOB_COMPLETION_INDEX": str(index), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_kubernetes_retries_deaths_and_not_answers(kubernetes: dict[str, Any]) -> None:
    """What ended with an answer is not sent again; a fault, a stop or a kill is taken up."""
    spec = kubernetes["Job/patchmode-shards"]["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailIndex"
    assert rule["onExitCodes"]["containerName"] == container(kubernetes["Job/patchmode-shards"])["name"]
    assert not {1, 130, 137, 143} & set(rule["onExitCodes"]["values"])
    assert spec["backoffLimitPerIndex"] > 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_kubernetes_merges_what_the_shards_left(kubernetes: dict[str, Any]) -> None:
    """On the same volume, in the same folder, with a command that exists."""
    shards, merge = kubernetes["Job/patchmode-shards"], kubernetes["Job/patchmode-merge"]
    claim = kubernetes["PersistentVolumeClaim/patchmode-shards"]["metadata"]["name"]
    for job in (shards, merge):
        (volume,) = job["spec"]["template"]["spec"]["volumes"]
        (mount,) = container(job)["volumeMounts"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim
        assert (mount["name"], mount["mountPath"]) == (volume["name"], "/shards")
    words = [*container(merge)["command"], *container(merge)["args"]]
    assert words[-1] == environment(container(shards))["SHARDS_DIR"]
    assert merge["spec"]["suspend"] is True
    check(shlex.join(words))


def test_kubernetes_knows_every_field(kubernetes: dict[str, Any]) -> None:
    """By the schemas of its API, strictly: a field that it does not know would be dropped in silence."""
    for one in kubernetes.values():
        kubernetes_validate.validate(one, "1.33", strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed here")
def test_kubectl_reads_the_jobs_as_they_are_read_here(kubernetes: dict[str, Any]) -> None:
    """Another reader of the same YAML; without a cluster."""
    command = ["kubectl", "label", "--local", "-o", "json", "-f", str(DEPLOY / "kubernetes.yaml"), "read=yes"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    decoder, text, read_back = json.JSONDecoder(), done.stdout.strip(), {}
    while text:
        one, end = decoder.raw_decode(text)
        read_back[f"{one['kind']}/{one['metadata']['name']}"] = one
        text = text[end:].strip()
    assert {name: one["spec"] for name, one in read_back.items()} == {
        name: one["spec"] for name, one in kubernetes.items()
    }


def test_github_actions_gives_each_job_a_shard(workflow: Any) -> None:
    """The matrix counts from 1 without a gap, and its own length is N."""
    job = workflow["jobs"]["shard"]
    numbers = job["strategy"]["matrix"]["number"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert job["env"]["PATCHMODE_SHARD"] == "${{ matrix.number }}/${{ strategy.job-total }}"
    assert job["strategy"]["fail-fast"] is False
    (line,) = [step["run"] for step in job["steps"] if "shard.sh" in step.get("run", "")]
    script, *words = line.removeprefix("sh ").split()
    assert (ROOT / script).is_file()
    check(shlex.join(["patchmode", "apply", *words, *job["env"]["CARRYING"].split()]))


def test_github_actions_keeps_and_merges_every_journal(workflow: Any) -> None:
    """Also of jobs that failed, and a re-run finds what the attempt before it left."""
    shard, merge = workflow["jobs"]["shard"], workflow["jobs"]["merge"]
    steps = {step["uses"].split("@")[0]: step for step in shard["steps"] if "uses" in step}
    up, down = steps["actions/upload-artifact"], steps["actions/download-artifact"]
    assert (up["if"], up["with"]["overwrite"], down["continue-on-error"]) == ("always()", True, True)
    assert {up["with"]["path"], down["with"]["path"]} == {"shards/shard-${{ matrix.number }}"}
    assert up["with"]["name"] == down["with"]["name"] == "shard-${{ matrix.number }}"
    assert (merge["needs"], merge["if"]) == ("shard", "always()")
    (line,) = [step["run"] for step in merge["steps"] if "merge" in step.get("run", "")]
    check(line)
    (fetched,) = [step["with"] for step in merge["steps"] if "download-artifact" in step.get("uses", "")]
    assert line.split()[3] == fetched["path"] == "shards"


@pytest.mark.parametrize("name", ["container-apps-audit.json", "container-apps-jobs.json"])
def test_container_apps_know_every_field(name: str) -> None:
    """By the models of Microsoft's own client."""
    for resource in json.loads(read(DEPLOY / name))["resources"]:
        assert resource["type"] == "Microsoft.App/jobs"
        body = {key: value for key, value in resource.items() if key not in {"apiVersion", "copy"}}
        assert list(unknown_fields(models.Job, body)) == []


def test_the_models_of_container_apps_tell_a_field_that_they_do_not_know() -> None:
    """At any depth, in lists too."""
    body = {"properties": {"template": {"containers": [{"imag": "x", "env": [{"name": "A", "valu": "B"}]}]}, "x": 1}}
    found = ["properties.template.containers.imag", "properties.template.containers.env.valu", "properties.x"]
    assert list(unknown_fields(models.Job, body)) == found


def unknown_fields(kind: Any, value: Any, at: str = "") -> Iterator[str]:
    fields = {field._rest_name: name for name, field in kind({})._attr_to_rest_field.items()}
    hints = {name: str(hint) for base in reversed(kind.__mro__) for name, hint in get_annotations(base).items()}
    for key, inner in value.items():
        if key not in fields:
            yield f"{at}{key}"
            continue
        named = re.search(r"_models\.(\w+)", hints[fields[key]])
        found = getattr(models, named[1], None) if named else None
        if found is None or isinstance(inner, str):  # a plain value, or an expression of the template
            continue
        several = inner if isinstance(inner, list) else inner.values() if "dict[" in hints[fields[key]] else [inner]
        for one in several:
            yield from unknown_fields(found, one, f"{at}{key}.")


def test_a_job_of_container_apps_audits_every_night(terminal: Callable[[str], Terminal]) -> None:
    """With what the template gives the image's script: a scope that exists, and a folder that is mounted."""
    template = json.loads(read(DEPLOY / "container-apps-audit.json"))
    (job,) = template["resources"]
    configuration, inside = job["properties"]["configuration"], job["properties"]["template"]
    assert (configuration["triggerType"], configuration["replicaRetryLimit"]) == ("Schedule", 0)
    (found,), (volume,) = inside["containers"], inside["volumes"]
    (mount,) = found["volumeMounts"]
    assert (mount["volumeName"], mount["mountPath"]) == (volume["name"], environment(found)["AUDITS_DIR"])
    assert found["command"] == ["patchmode-audit"]
    check(shlex.join(["patchmode", "audit", *template["parameters"]["scope"]["defaultValue"]]))
    named = set(re.findall(r"parameters\('(\w+)'\)", json.dumps(job)))
    assert named == set(template["parameters"])


def test_container_apps_make_a_job_for_each_shard(template: Any) -> None:
    """One resource, copied as often as there are shards and numbered from 1; the merge looks where they write."""
    shard, merge = template["resources"]
    assert shard["copy"]["count"] == "[parameters('shards')]"
    (worker,) = shard["properties"]["template"]["containers"]
    (merger,) = merge["properties"]["template"]["containers"]
    values = environment(worker)
    assert values["PATCHMODE_SHARD"] == "[concat(copyIndex(1), '/', parameters('shards'))]"
    assert values["SHARDS_DIR"] == merger["args"][-1]
    defaults = {name: one.get("defaultValue") for name, one in template["parameters"].items()}
    check(shlex.join(["patchmode", "apply", *defaults["scope"], *defaults["carrying"].split()]))
    check(shlex.join([*merger["command"], *merger["args"][:2]]))
    named = set(re.findall(r"parameters\('(\w+)'\)", json.dumps(template["resources"])))
    assert named == set(defaults)
    for job in (shard, merge):
        (volume,) = job["properties"]["template"]["volumes"]
        (found,) = job["properties"]["template"]["containers"]
        assert [one["volumeName"] for one in found["volumeMounts"]] == [volume["name"]]


def test_the_image_holds_what_the_definitions_call() -> None:
    """The script under the name that they use, the wheel, and the locked requirements."""
    text = read(DEPLOY / "Dockerfile")
    for script in DEPLOY.glob("*.sh"):
        assert f"deploy/{script.name} /usr/local/bin/patchmode-{script.stem}" in text
        assert script.stat().st_mode & 0o111
    kept = {line[1:] for line in read(DEPLOY / "Dockerfile.dockerignore").splitlines() if line.startswith("!")}
    copied = {word for line in text.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]}
    assert {word for word in copied if not word.startswith("--")} == kept
    assert (ROOT / "requirements/runtime.txt").is_file()
    (base,) = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert "/" not in base, "a short name; who needs a registry gives it as build argument"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_definition_is_bound_to_a_registry_or_a_machine(path: Path) -> None:
    """The one address is the name of a template's language, which is not fetched."""
    text = read(path).replace("https://schema.management.azure.com/schemas/", "")
    assert not re.search(r"://|/(home|root|Users)/|--(extra-)?index|\.io/", text)


# ------------------------------------------------------------------------------------ pipelines, and what they run


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_shellcheck_has_nothing_to_say(path: Path) -> None:
    """Nor has the shell that runs it."""
    subprocess.run([Path(sys.executable).with_name("shellcheck"), path], check=True, timeout=60)
    subprocess.run(["sh", "-n", str(path)], check=True, timeout=60)


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        (["vendor.github-workflows"], WORKFLOWS),
        (["vendor.github-actions"], [DEPLOY / "action/action.yml"]),
        # The pattern of its expressions is none that JavaScript takes with Unicode on.
        (["vendor.azure-pipelines", "--regex-variant", "nonunicode"], [DEPLOY / "azure-pipelines.yaml"]),
    ],
    ids=["github", "github-action", "azure-devops"],
)
def test_the_published_schema_accepts_the_pipelines(schema: list[str], paths: list[Path]) -> None:
    """SchemaStore's for GitHub, Microsoft's for Azure DevOps, as check-jsonschema holds them."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def scripts_of(node: Any) -> Iterator[str]:
    """What a job of GitHub or Azure DevOps runs, in the order of its steps."""
    if isinstance(node, dict):
        inputs = node.get("inputs", {})
        for script in (node.get("run"), node.get("script"), inputs.get("inlineScript")):
            if isinstance(script, str) and not script.startswith(BEGIN):
                yield script
        node = [inner for key, inner in node.items() if key != "inputs"]
    if isinstance(node, list):
        for inner in node:
            yield from scripts_of(inner)


def ran(shell: Terminal, pipeline: Any, **variables: str) -> str:
    """Run the scripts of a pipeline one after another, each as a shell of its own; what they printed."""
    names = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    printed = ""
    for script in scripts_of(pipeline):
        done = shell.run(f"export {names}\n{script}")
        assert done.code == 0, (script, done.text)
        printed += done.text
    return printed


def test_the_nightly_audit_on_github_runs(terminal: Callable[[str], Terminal]) -> None:
    """Its steps leave what the later ones upload."""
    shell, workflow = terminal("demo"), yaml.safe_load(read(DEPLOY / "github-audit.yaml"))
    job = workflow["jobs"]["audit"]
    check(f"patchmode audit {job['env']['SCOPE']}")
    ran(shell, job, SCOPE="--all", GITHUB_STEP_SUMMARY="summary.md")
    steps = {step["uses"].split("@")[0]: step["with"] for step in job["steps"] if "with" in step}
    uploaded = [steps["github/codeql-action/upload-sarif"]["sarif_file"]]
    uploaded += steps["actions/upload-artifact"]["path"].split()
    assert uploaded == ["audit.sarif", "audit.json", "audit.html"]
    assert all((shell.folder / name).stat().st_size > 1000 for name in [*uploaded, "summary.md"])


def test_a_change_on_github_is_planned_and_applied(terminal: Callable[[str], Terminal]) -> None:
    """The plan of the pull request is what is applied; where nothing is to change, nothing is asked of a reviewer."""
    shell, workflow = terminal("demo"), yaml.safe_load(read(DEPLOY / "github-change.yaml"))
    plan, apply = workflow["jobs"]["plan"], workflow["jobs"]["apply"]
    (shell.folder / "patching").mkdir()
    (shell.folder / "patching/machines.txt").write_text("web-01\nweb-02\n", encoding="utf-8")
    ran(shell, plan, GITHUB_OUTPUT="output", GITHUB_STEP_SUMMARY="summary.md")
    assert read(shell.folder / "output") == "code=10\n"
    assert "web-01" in read(shell.folder / "summary.md")
    ran(shell, apply, PATCHMODE_STATE_DIR=str(shell.folder / "state"))
    assert json.loads(read(shell.folder / "run.json"))["counts"]["applied"] == 2
    assert "needs.plan.outputs.code == '10'" in apply["if"]
    assert apply["environment"] == "production"
    (shell.folder / "output").unlink()
    (first,) = [step["run"] for step in plan["steps"] if step.get("id") == "plan"]
    ran(shell, {"run": first}, GITHUB_OUTPUT="output")
    assert read(shell.folder / "output") == "code=0\n"


def test_the_pipeline_of_azure_devops_runs(terminal: Callable[[str], Terminal]) -> None:
    """All of its stages, and the variable that the last one waits for."""
    shell, pipeline = terminal("demo"), yaml.safe_load(read(DEPLOY / "azure-pipelines.yaml"))
    audit, plan, apply = pipeline["stages"]
    (scope,) = [one["default"] for one in pipeline["parameters"] if one["name"] == "scope"]
    check(f"patchmode audit {scope}")
    ran(shell, audit, SCOPE="--all")
    published = [step["publish"] for step in audit["jobs"][0]["steps"] if "publish" in step]
    assert published == ["audit.sarif", "audit.html"]
    assert all((shell.folder / name).stat().st_size > 1000 for name in [*published, "audit.xml"])
    printed = ran(shell, plan, SCOPE="-g rg-app --name web-01")
    assert "##vso[task.setvariable variable=code;isOutput=true]10\n" in printed
    (stage,), (step,) = plan["jobs"], [one for one in plan["jobs"][0]["steps"] if "name" in one]
    assert f"dependencies.plan.outputs['{stage['job']}.{step['name']}.code'], '10'" in apply["condition"]
    (shell.folder / "plan").mkdir()
    (shell.folder / "plan.json").rename(shell.folder / "plan/plan.json")
    here = str(shell.folder)
    ran(shell, apply, PIPELINE_WORKSPACE=here, BUILD_ARTIFACTSTAGINGDIRECTORY=here)
    assert json.loads(read(shell.folder / "run.json"))["counts"]["applied"] == 1


def test_audits_that_are_kept_tell_what_changed_since_the_one_before(terminal: Callable[[str], Terminal]) -> None:
    """10 for a change, 0 for none; an audit that cannot be made leaves the newest as it is."""
    shell = terminal("demo")
    script = f"AUDITS_DIR=audits sh {DEPLOY / 'audit.sh'} -g rg-app"

    def kept() -> list[str]:
        return sorted(path.name for path in (shell.folder / "audits").iterdir())

    first = shell.run(script)
    assert (first.code, len(kept())) == (0, 3), first.text
    assert kept()[-1] == "latest.json"
    before = read(shell.folder / "audits/latest.json")
    assert shell.run("patchmode apply -g rg-app --name web-01 --yes -q").code == 0
    changed = shell.run(script, last_code=10)
    assert changed.code == 10, changed.text
    assert "~ rg-app/web-01" in changed.text
    after = read(shell.folder / "audits/latest.json")
    assert after != before
    failed = shell.run(f"{script} --name no-such-*", last_code=3)
    assert failed.code == 3, failed.text
    assert not [name for name in kept() if name.endswith(".new")], "what was not made is not kept"
    assert read(shell.folder / "audits/latest.json") == after
    same = shell.run(script)
    assert (same.code, "~" in same.text) == (0, False), same.text


# --------------------------------------------------------------------------------------------- the action of GitHub

ACTION = DEPLOY / "action"


@pytest.fixture(scope="module")
def action() -> Any:
    """The definition of the composite action."""
    return yaml.safe_load(read(ACTION / "action.yml"))


def stepped(shell: Terminal, action: Any, **inputs: str) -> tuple[int, str, str]:
    """Run the action's last step with some inputs: its code, what it printed, and its outputs."""
    step = action["runs"]["steps"][-1]
    values = {name: inputs.get(name, entry["default"]) for name, entry in action["inputs"].items()}
    variables = {
        name: values[re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", text)[1]]  # type: ignore[index]
        for name, text in step["env"].items()
    }
    variables |= {"GITHUB_ACTION_PATH": str(ACTION), "GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary.md"}
    (shell.folder / "output").unlink(missing_ok=True)
    names = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    done = shell.run(f"export {names}\n{step['run']}", last_code=1)
    output = shell.folder / "output"
    return done.code, done.text, read(output) if output.exists() else ""


def test_the_action_reports_findings_and_fails_for_them_only_where_it_shall(
    terminal: Callable[[str], Terminal], action: Any
) -> None:
    """10 is an audit with findings: an error or a warning, never silence."""
    shell = terminal("demo")
    code, text, output = stepped(shell, action)
    assert (code, output) == (10, "code=10\nsarif=patchmode.sarif\n"), text
    assert "::error title=patchmode has findings (exit code 10)::The audit has findings" in text
    assert json.loads(read(shell.folder / "patchmode.sarif"))["runs"][0]["results"]
    assert "# Patch orchestration audit" in read(shell.folder / "summary.md")
    told = {"fail-on": "errors", "selectors": "-s 'Contoso Development' --name \"*\"", "sarif": "other.sarif"}
    code, text, output = stepped(shell, action, **told)
    assert (code, output) == (0, "code=10\nsarif=other.sarif\n"), text
    assert "::warning title=patchmode has findings (exit code 10)::" in text
    assert (shell.folder / "other.sarif").is_file()


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"selectors": "-s nowhere"}, 2),
        ({"selectors": "--all --name no-such-*"}, 3),
        ({"selectors": "--all $(touch made); touch made"}, 2),
        ({"selectors": "--all 'no end"}, 2),
        ({"command": "apply"}, 2),
        ({"fail-on": "never"}, 2),
        ({"command": "iac check", "selectors": "missing-folder"}, 2),
    ],
)
def test_the_action_never_passes_an_error_for_a_clean_result(
    terminal: Callable[[str], Terminal], action: Any, inputs: dict[str, str], code: int
) -> None:
    """Not even where findings are no failure; and what an earlier step left under the name is no result of this one."""
    shell = terminal("demo")
    (shell.folder / "patchmode.sarif").write_text("{}", encoding="utf-8")
    done, text, output = stepped(shell, action, **{"fail-on": "errors", **inputs})
    assert done == code, text
    assert "::error title=patchmode" in text
    assert "sarif=" not in output
    assert not (shell.folder / "made").exists()
    is_refused = "fail-on" in inputs or inputs.get("command") == "apply"
    assert is_refused or not (shell.folder / "patchmode.sarif").exists()


def test_the_action_checks_infrastructure_code(terminal: Callable[[str], Terminal], action: Any) -> None:
    shell = terminal("demo")
    (shell.folder / "main.tf").write_text('resource "azurerm_linux_virtual_machine" "web" {\n  name = "web-01"\n}\n')
    code, text, output = stepped(shell, action, command="iac check", selectors="main.tf")
    assert (code, output) == (10, "code=10\nsarif=patchmode.sarif\n"), text
    assert json.loads(read(shell.folder / "patchmode.sarif"))["runs"][0]["results"]
    assert "main.tf:1" in text, "people read the log"
    (shell.folder / "main.tf").write_text("")
    code, text, output = stepped(shell, action, command="iac check", selectors="main.tf")
    assert (code, output) == (0, "code=0\nsarif=patchmode.sarif\n"), text
    assert "::error" not in text


def test_the_action_reads_no_input_as_code(action: Any) -> None:
    """An input inside `run` would be part of the script; as an environment variable it is a text."""
    used: set[str] = set()
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]
        (script,) = re.findall(r"GITHUB_ACTION_PATH/([\w.]+)", step["run"])
        assert (ACTION / script).is_file()
        used |= set(re.findall(r"inputs\.([\w-]+)", f"{step.get('if')} {step['env']}"))
    assert used == set(action["inputs"])
    assert {"runtime.txt", "iac.txt"} <= {path.name for path in (ROOT / "requirements").iterdir()}
