"""The ready-made definitions: they parse, divide the scope exactly once, and call commands and options that exist."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import ROOT, name_of, read
from tests.docs.plain_yaml import NotPlainError, load_all
from tests.docs.test_pages import _calls, _check_call

from patchmode.model.scope import Shard

DEPLOY = ROOT / "deploy"
FILES = sorted(DEPLOY.iterdir())
SCRIPT = DEPLOY / "shard.sh"


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, Any]:
    """Its documents by kind and name."""
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in load_all(read(DEPLOY / "kubernetes.yaml"))}


@pytest.fixture(scope="module")
def workflow() -> Any:
    """The workflow of GitHub Actions."""
    (found,) = load_all(read(DEPLOY / "github-actions.yaml"))
    return found


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


def test_the_script_calls_commands_that_exist_and_parses() -> None:
    """Every line of it, and by the shell that runs it."""
    text = read(SCRIPT)
    lines = [line.split(">")[0] for line in text.splitlines() if re.search(r"\bpatchmode \w", line) and line[0] != "#"]
    assert len(lines) == 3
    for line in lines:
        check(line.replace("runs=$(", "").replace('"$@" ${CARRYING:-}', "").rstrip(")"))
    subprocess.run(["sh", "-n", str(SCRIPT)], check=True, timeout=60)
    assert SCRIPT.stat().st_mode & 0o111


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
    assert "deploy/shard.sh /usr/local/bin/patchmode-shard" in text
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


@pytest.mark.parametrize("text", ["a: &x 1", "a: |", "a:\n    - b", "a: 1\na: 2", "a: b: c", "a: {b: c}", "a:\n\tb: 1"])
def test_more_than_plain_yaml_is_refused(text: str) -> None:
    """What this reader does not know must not be taken for something else."""
    with pytest.raises(NotPlainError):
        load_all(text)


def test_plain_yaml_is_read() -> None:
    """Mappings in lists, quoted and plain scalars."""
    text = 'a:\n  - b: 1\n    c: "x"\n  - d\nlist: [1, 2]\nempty: null\n'
    assert load_all(text) == [{"a": [{"b": 1, "c": "x"}, "d"], "list": [1, 2], "empty": None}]
