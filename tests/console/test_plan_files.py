"""Plans as files: downloaded, uploaded, checked as `patchmode apply FILE` checks them, reviewed and applied."""

import json
from typing import Any

import pytest
from tests.console.conftest import Asker, Open, Told
from tests.console.test_changes import TWO, writes

from patchmode.console.routes import changes
from patchmode.store.runs import RunStore


async def kept(asker: Asker) -> str:
    """The file of a plan for two machines, as the review offers it."""
    path = await asker.planned(TWO)
    return (await asker.get(f"{path}/plan.json")).text


async def reviewed(asker: Asker, content: str, name: str = "two.json") -> tuple[str, Told]:
    """The path of an uploaded plan's change, and its page once it was checked."""
    sent = await asker.send_file("/plans", content, name)
    assert sent.status == 303, sent.words
    planning = asker.console.changes.get(sent.location.rpartition("/")[2]).planning
    assert planning is not None
    await planning.settled()
    return sent.location, await asker.get(sent.location)


async def test_a_plan_is_downloaded_uploaded_reviewed_and_applied(opened: Open) -> None:
    """What is applied is the plan of the file, and it is applied once."""
    asker = await opened(allow_writes=True)
    content = await kept(asker)
    path, review = await reviewed(asker, content)
    for text in ("Review the plan of two.json", "to change 2", "This writes to 2 machines", "Another file"):
        assert text in review.words, review.words
    assert (await asker.get(f"{path}/plan.json")).text == content
    assert (await asker.get(f"{path}/settings")).location == path
    assert (await asker.post(f"{path}/plan", [("assessment", "on")])).location == path
    begun = await asker.post(f"{path}/apply", [("count", "2")])
    assert begun.status == 303, begun.words
    await asker.ended()
    assert sorted(writes(asker)) == [("PATCH", "db-01"), ("PATCH", "web-01")]
    journal = RunStore(asker.state).open(begun.location.rpartition("/")[2])
    assert journal.plan.digest == json.loads(content)["digest"]
    journal.release()
    _, again = await reviewed(asker, content)
    assert "two.json cannot be applied" in again.words
    assert begun.location.rpartition("/")[2] in again.words


def edited(content: str) -> str:
    plan: dict[str, Any] = json.loads(content)
    plan["changes"][0]["body"]["properties"]["osProfile"] = {}
    return json.dumps(plan)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "two.json"),
        ("not json", "two.json"),
        (edited, "two.json was changed after it was written: its digest does not match its content."),
    ],
)
async def test_a_file_that_is_no_plan_is_refused_with_the_command_lines_reason(
    opened: Open, content: Any, reason: str
) -> None:
    asker = await opened(allow_writes=True)
    path, page = await reviewed(asker, content if isinstance(content, str) else content(await kept(asker)))
    assert "two.json cannot be applied" in page.words
    assert reason in page.words, page.words
    assert (await asker.post(f"{path}/apply", [("count", "2")])).status == 409
    assert writes(asker) == []


async def test_a_plan_of_another_tenant_or_cloud_is_refused(opened: Open) -> None:
    asker = await opened(allow_writes=True)
    content = await kept(asker)
    other = await opened(allow_writes=True)
    _, page = await reviewed(other, content)
    assert "two.json cannot be applied" in page.words
    assert "The plan was made for tenant" in page.words, page.words
    assert writes(other) == []


async def test_a_form_without_a_file_and_a_file_that_is_too_large(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = await opened()
    empty = await asker.send_file("/plans", "")
    assert (empty.status, "No plan file was sent." in empty.words) == (400, True)
    assert (await asker.post("/plans", [("file", "x")])).status == 400
    monkeypatch.setattr(changes, "LARGEST_PLAN", 2**20)
    large = await asker.send_file("/plans", "x" * (2**20 + 1))
    assert large.status == 400
    assert "The plan file is larger than 1 MB" in large.words


async def test_hostile_file_names_stay_text(opened: Open) -> None:
    asker = await opened()
    _, page = await reviewed(asker, "{}", "..\\..\\<i>x.json")
    assert "<i>" not in page.text
    assert "&lt;i&gt;x.json cannot be applied" in page.text
