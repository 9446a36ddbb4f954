"""What the console serves: no page and no file that it gives out holds what opens a door of Azure."""

import re

from tests.console.conftest import Open, machine_id
from tests.leaks import leaks, leaks_below, marks_of

PATHS = ("/", "/readiness", "/report.html", "/report.csv", "/fleet.csv", "/fleet-ids.txt", "/runs", "/schedules")
OF_A_RUN = ("", "/plan.json", "/report.json", "/report.html", "/report.csv", "/journal.sqlite", "/evidence.zip")


async def test_nothing_that_is_served_opens_a_door(opened: Open) -> None:
    """A whole change, with every page and download on the way."""
    asker = await opened("small", allow_writes=True, lro_seconds=0.05)
    change = await asker.planned([("id", machine_id("web-01")), ("id", machine_id("db-01"))])
    before = (f"/machine?id={machine_id('web-01')}", change, f"{change}/settings", f"{change}/plan.json")
    answers = {path: await asker.get(path) for path in before}
    begun = await asker.post(f"{change}/apply", [("count", "2")])
    assert begun.status == 303, begun.words
    await asker.ended()
    run = re.match(r"/runs/[^/?]+", begun.location)
    assert run is not None
    answers |= {path: await asker.get(path) for path in (*PATHS, *(f"{run[0]}{rest}" for rest in OF_A_RUN))}
    assert {path: answer.status for path, answer in answers.items() if answer.status != 200} == {}
    marks = marks_of(asker.served)
    found: list[str] = []
    for path, answer in answers.items():
        headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        found += [*leaks(path, headers.encode(), marks), *leaks(path, answer.body, marks)]
    assert found == []
    assert leaks_below(asker.state.parent, marks) == []
