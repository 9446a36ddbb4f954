"""A plan file is applied exactly as it was reviewed, or refused with one clear sentence."""

import contextlib
import hashlib
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.store import plans

from patchmode.documents import published
from patchmode.errors import BrokenPlanError, StorageError, UsageError
from patchmode.model.machine import MachineKind
from patchmode.model.patch_settings import OperatingSystem
from patchmode.model.plan import Plan
from patchmode.model.target import SubscriptionNames
from patchmode.store import plan_file


def read_text(text: str) -> Plan:
    return plan_file.decode_plan(text.encode(), name="plan.json")


def refusal_of(content: bytes) -> str:
    with pytest.raises(BrokenPlanError) as caught:
        plan_file.decode_plan(content, name="plan.json")
    assert caught.value.advice
    return caught.value.message


@given(plan=plans.plans())
def test_plan_survives_the_file(plan: Plan) -> None:
    content, digest = plan_file.encode_plan(plan)
    read = plan_file.decode_plan(content, name="plan.json")
    assert read == plan
    assert read.digest == digest


@given(plan=plans.plans())
def test_plan_file_is_valid_by_its_published_schema(plan: Plan) -> None:
    content, _ = plan_file.encode_plan(plan)
    schema = json.loads((published.FOLDER / "plan-v1.json").read_text())
    jsonschema.validate(json.loads(content), schema)


@settings(max_examples=examples(100))
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_one_changed_byte_is_refused_or_means_nothing(position: int, byte: int) -> None:
    """Only white space between members may change; whatever is read equals what was written."""
    content, _ = plan_file.encode_plan(plans.full_plan())
    position %= len(content)
    damaged = content[:position] + bytes([byte]) + content[position + 1 :]
    with contextlib.suppress(BrokenPlanError):
        assert plan_file.decode_plan(damaged, name="plan.json") == plans.full_plan()


def test_a_file_cut_at_any_byte_is_refused() -> None:
    content, _ = plan_file.encode_plan(plans.full_plan())
    whole = len(content.rstrip())
    assert all("cut short" in refusal_of(content[:length]) for length in range(1, whole))


def test_file_reformatted_by_another_tool_is_still_the_same_plan() -> None:
    content, _ = plan_file.encode_plan(plans.full_plan())
    assert read_text(json.dumps(json.loads(content), ensure_ascii=False)) == plans.full_plan()


def test_file_is_for_its_owner_only_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    written = plan_file.write_plan(plans.full_plan(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]
    assert plan_file.read_plan(path).digest == written.digest != ""


def test_members_are_those_that_users_rely_on() -> None:
    content, digest = plan_file.encode_plan(plans.full_plan())
    document = json.loads(content)
    assert document["format"] == "patchmode/plan/v1"
    assert document["digest"] == digest
    assert document["target"] == {
        "cloud": "AzureCloud",
        "endpoint": "https://management.azure.com",
        "tenantId": "22222222-2222-2222-2222-222222222222",
    }
    assert document["counts"] == {"scope": 5, "changes": 2, "unchanged": 1, "skipped": 1, "unreadable": 1}
    assert document["createdAt"] == "2026-03-01T08:30:00Z"
    change = document["changes"][0]
    assert change["id"].endswith("/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/vm-0")
    assert change["etag"] == '"1"'
    assert change["body"] == plans.patch_body(plans.BOTH_FIELDS)
    assert change["before"] == {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
    assert change["after"] == {**plans.BOTH_FIELDS, "assessmentMode": "ImageDefault"}
    assert (change["outcomeBefore"], change["outcomeAfter"]) == ("guest-managed", "unknown")
    assert change["reversible"] is True
    assert document["skipped"][0]["rule"] == "client-os"
    assert document["unreadable"][0]["reason"] == "403 AuthorizationFailed"


def test_digest_is_sha256_over_sorted_compact_json_without_it() -> None:
    """Anyone can check a plan with three lines of their own, so the recipe may not drift."""
    document = json.loads(plan_file.encode_plan(plans.plan())[0])
    stated = document.pop("digest")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert stated == hashlib.sha256(text.encode()).hexdigest()


def resealed(**members: Any) -> bytes:
    """A plan file with members replaced and a digest that fits: made up by someone, not damaged."""
    document = {**json.loads(plan_file.encode_plan(plans.full_plan())[0]), **members}
    document.pop("digest")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({**document, "digest": hashlib.sha256(text.encode()).hexdigest()}).encode()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "plan.json is empty."),
        (b" \n", "plan.json is empty."),
        (b"id,name\n", "plan.json is not JSON"),
        (b"\xff\xfe", "plan.json is not JSON"),
        (b"[" * 100_000, "plan.json is not JSON"),
        (b"[]", "plan.json is JSON, but not a plan."),
        (b'{"a":1}', "plan.json is JSON, but not a plan: it has no format member."),
        (b'{"format":"patchmode/run/v1"}', "plan.json is JSON, but not a plan: it has the format patchmode/run/v1."),
        (
            b'{"format":"patchmode/plan/v7","toolVersion":"9.1.0"}',
            "has the format patchmode/plan/v7, written by patchmode 9.1.0; this version reads patchmode/plan/v1.",
        ),
        (b'{"format":"patchmode/plan/v1"}', "plan.json was changed after it was written: its digest does not match"),
        (resealed(surprise=1), "plan.json is not valid patchmode/plan/v1: Object contains unknown field"),
        (resealed(scope="all"), "Expected `array`, got `str` - at `$.scope`"),
        (resealed(unchanged=[]), "plan.json is inconsistent: its counts do not add up to what it lists."),
    ],
)
def test_each_bad_file_has_its_own_sentence(content: bytes, sentence: str) -> None:
    assert sentence in refusal_of(content)


def test_edited_plan_is_refused() -> None:
    content, _ = plan_file.encode_plan(plans.plan())
    assert "was changed after it was written" in refusal_of(content.replace(b"westeurope", b"northeurope"))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"tags": {}}, "holds something other than windowsConfiguration.patchSettings"),
        ({**plans.patch_body({"patchMode": "Manual"}), "identity": {}}, "holds something other than"),
        ({"properties": {"osProfile": {"adminPassword": "x"}}}, "holds something other than"),
        (
            plans.patch_body({"patchMode": "x"}, OperatingSystem.LINUX),
            "holds something other than windowsConfiguration",
        ),
        ({"properties": []}, "holds something other than"),
        (plans.patch_body({}), "would change nothing"),
        (
            plans.patch_body({"enableAutomaticUpdates": True}),
            "sends patchSettings.enableAutomaticUpdates, which no plan",
        ),
        (plans.patch_body({"patchMode": 1}), "sends patchSettings.patchMode with a value of the wrong type"),
        (
            plans.patch_body({"automaticByPlatformSettings": {"x": 1}}),
            "sends patchSettings.automaticByPlatformSettings.x, which no plan may send",
        ),
        (plans.patch_body({"automaticByPlatformSettings": []}), "with a value of the wrong type"),
    ],
)
def test_nothing_but_patch_settings_is_ever_sent(body: dict[str, Any], sentence: str) -> None:
    """A made-up plan with a valid digest still cannot make apply send anything else."""
    with pytest.raises(BrokenPlanError, match=sentence):
        plan_file.encode_plan(plans.plan(plans.change(body=body)))


def test_arc_machines_take_the_assessment_mode_only() -> None:
    arc = replace(plans.change(), kind=MachineKind.ARC)
    with pytest.raises(BrokenPlanError, match=r"sends patchSettings\.patchMode, which no plan may send"):
        plan_file.encode_plan(plans.plan(arc))
    assessed = replace(arc, body=plans.patch_body({"assessmentMode": "AutomaticByPlatform"}))
    assert plan_file.encode_plan(plans.plan(assessed))


def test_hotpatching_is_for_windows_only() -> None:
    body = plans.patch_body({"enableHotpatching": False})
    assert plan_file.encode_plan(plans.plan(plans.change(body=body)))
    linux = plans.patch_body({"enableHotpatching": False}, OperatingSystem.LINUX)
    with pytest.raises(BrokenPlanError, match="enableHotpatching"):
        plan_file.encode_plan(plans.plan(replace(plans.change(body=linux), os=OperatingSystem.LINUX)))


def test_one_machine_twice_is_refused_whatever_its_casing() -> None:
    twin = replace(plans.change(), id=plans.machine_id("VM-0", group="WEB"))
    with pytest.raises(BrokenPlanError, match=r"names /subscriptions/.* more than once"):
        plan_file.encode_plan(plans.plan(plans.change(), twin))


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"could not write .*No such file or directory"):
        plan_file.write_plan(plans.plan(), tmp_path / "missing" / "plan.json")
    folder = tmp_path / "plan.json"
    folder.mkdir()
    with pytest.raises(StorageError):
        plan_file.write_plan(plans.plan(), folder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_a_file_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"could not read the plan .*missing\.json: No such file"):
        plan_file.read_plan(tmp_path / "missing.json")


def test_document_that_json_cannot_carry_is_refused() -> None:
    odd = replace(plans.change(), document={"x": object()})
    with pytest.raises(StorageError, match="something that JSON cannot carry"):
        plan_file.encode_plan(plans.plan(odd))


def test_a_plan_keeps_the_names_of_its_subscriptions(tmp_path: Path) -> None:
    """A journal tells them without Azure, whatever somebody typed; a plan without them reads as before."""
    names = SubscriptionNames.of(((plans.SUBSCRIPTION, "Prod\x1b[2J\u202e"),))
    plan = replace(plans.full_plan(), target=replace(plans.TARGET, names=names))
    written = plan_file.write_plan(plan, tmp_path / "plan.json")
    assert plan_file.read_plan(tmp_path / "plan.json").target.names == names
    document = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert document["subscriptions"] == [
        {"subscriptionId": plans.SUBSCRIPTION, "displayName": "Prod\x1b[2J\u202e"},
    ]
    assert plan_file.read_plan(tmp_path / "plan.json").digest == written.digest
    without = json.loads(plan_file.encode_plan(plans.full_plan())[0])
    assert "subscriptions" not in without
