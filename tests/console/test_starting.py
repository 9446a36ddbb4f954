"""A change that begins with failed runs or with pasted text."""

import pytest
from tests.console.conftest import Asker, Open, Told, machine_id

from patchmode.model.scope import Scope


async def looked_up(asker: Asker, path: str, form: list[tuple[str, str]]) -> tuple[Told, set[str]]:
    """The page of the change, once its machines were looked up, and their names."""
    sent = await asker.post(path, form)
    assert sent.status == 303, sent.words
    draft = asker.console.changes.get(sent.location.rpartition("/")[2])
    assert draft.looking is not None
    await draft.looking.settled()
    return await asker.get(sent.location), {one.rpartition("/")[2] for one in draft.machines}


async def test_pasted_text_names_the_machines(opened: Open) -> None:
    """Ids in any casing and encoding; what is not there is named."""
    asker = await opened()
    gone = machine_id("gone-01")
    text = f'"id": "{machine_id("web-01").upper()}"\nerror on {machine_id("db-01").replace("/", "%2F")}\n{gone}\n'
    page, names = await looked_up(asker, "/start/pasted", [("text", text)])
    assert "Machines that the pasted text names : 2 machines." in page.words, page.words
    assert "gone-01" in page.words
    assert names == {"web-01", "db-01"}
    assert "2 machines chosen" in page.words


async def test_text_that_names_nothing_is_told_in_its_place(opened: Open) -> None:
    asker = await opened()
    refused = await asker.post("/start/pasted", [("text", "nothing <i>here</i>")])
    assert refused.status == 422
    assert "The text names no machine. Looked for: resource ids" in refused.words
    assert "nothing &lt;i&gt;here&lt;/i&gt;</textarea>" in refused.text
    assert (
        "No machine was found" in (await looked_up(asker, "/start/pasted", [("text", machine_id("gone-01"))]))[0].words
    )


@pytest.mark.parametrize("since", ["", "yesterday", "0d"])
async def test_a_time_that_cannot_be_read_is_told_in_its_place(opened: Open, since: str) -> None:
    refused = await (await opened(read=False)).post("/start/failed", [("since", since)])
    assert refused.status == 422
    assert f"{since!r} is not a point in the past" in refused.words


async def test_failed_runs_are_looked_up(opened: Open) -> None:
    """Those whose last run failed for want of the settings; where none did, the page says so."""
    asker = await opened("schedules")
    nothing, _ = await looked_up(asker, "/start/failed", [("since", "7d")])
    assert "No machine was found" in nothing.words
    await asker.control("POST", "clock", {"advance": "P1D"})
    page, names = await looked_up(asker, "/start/failed", [("since", "7d")])
    assert names >= {"web-01", "web-02", "api-01", "web-05"}
    assert "Machines whose last scheduled run since 7d failed because the settings were missing" in page.words


async def test_machines_outside_the_consoles_scope_are_left_out(opened: Open) -> None:
    """Whoever narrowed the console must not find other machines in a plan."""
    asker = await opened("schedules", scope=Scope(resource_groups=("rg-app",)), read=False)
    text = f"{machine_id('web-01')} {machine_id('SQL-01', 'RG-DATA-PROD')}"
    page, names = await looked_up(asker, "/start/pasted", [("text", text)])
    assert names == {"web-01"}
    assert "SQL-01: it is not in the scope of this console." in page.words
