"""Production and its twin in development: no page of the console leaves open which of the two it speaks of."""

import re
from collections import Counter

import pytest
from tests.cli.speaking import Speaking
from tests.console.conftest import Open
from tests.twins import DEVELOPMENT, NAMES, PRODUCTION, twins

GROUP = "/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines"
WEB = ("web-01", "web-02")
SCHEDULE = (
    f"/subscriptions/{PRODUCTION}/resourceGroups/rg-app/providers/Microsoft.Maintenance/maintenanceConfigurations"
)
TWINS = [("id", f"/subscriptions/{one}{GROUP}/{name}") for one in (PRODUCTION, DEVELOPMENT) for name in WEB]


CHANGES_OF_SCHEDULES = [
    ("detach", "/changes", [("take", "all"), ("query", f"?detach={SCHEDULE}/mc-nightly")]),
    (
        "dynamic scope",
        "/schedules/scope/preview",
        [("schedule", f"{SCHEDULE}/mc-weekly"), ("name", "all"), ("subscription", DEVELOPMENT)],
    ),
]
"""Name of the page, where its form is sent, and the form."""


@pytest.fixture
def speaking() -> Speaking:
    machines = [one["id"] for one in twins()["resources"] if one["id"].split("/")[-2] == "virtualMachines"]
    times = Counter(one.rpartition("/")[2] for one in machines)
    return Speaking([name for name, count in times.items() if count > 1], NAMES)


async def test_no_page_names_a_twin_ambiguously(opened: Open, speaking: Speaking) -> None:
    """Two rows that read alike are how the wrong one is ticked."""
    asker = await opened(twins(), allow_writes=True)
    await asker.ready()
    asker.console.schedules.refresh()
    await asker.console.schedules.settled()
    path = (await asker.post("/changes", TWINS)).location
    pages = {name: (await asker.get(name)).text for name in ("/", "/?group=rg-app", "/schedules", f"{path}/settings")}
    planned = await asker.planned(TWINS)
    pages["plan"] = (await asker.get(planned)).text
    begun = await asker.post(f"{planned}/apply", [("count", "4")])
    await asker.ended()
    pages["run"] = (await asker.get(begun.location)).text
    for name, where, form in CHANGES_OF_SCHEDULES:
        answer = await asker.post(where, form)
        await asker.console.schedule_changes.get(answer.location.rpartition("/")[2]).reading.settled()
        pages[name] = (await asker.get(answer.location)).text
        assert "-title" in pages[name]
    odd = [f"{name}: {text}" for name, page in pages.items() for text in speaking.in_html(page)]
    assert odd == []
    plain = " ".join(re.sub(r"</?b>", "", pages["plan"]).split())
    assert "This writes to 4 machines (Production: 2 machines, Development: 2 machines)" in plain
