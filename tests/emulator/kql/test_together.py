"""Which tables one query may bring together, as documented, and that our own queries keep to it."""

from datetime import UTC, datetime

import pytest

from arm_emulator.kql import KqlError, compile_query
from patchmode.arm import machine_rows, run_rows, schedule_rows

NOW = datetime(2026, 11, 30, tzinfo=UTC)
JOINED = "| join kind=leftouter ({table} | project id) on id"
MORE = "A query may hold 3 join and union operators together at most."
CROSS = "A query may hold 1 join with another table at most."


def query(*operators: str, table: str = "resources") -> str:
    return " ".join((table, "| project id", *operators))


def joined(table: str) -> str:
    return JOINED.format(table=table)


@pytest.mark.parametrize(
    "text",
    [
        query(joined("resources"), joined("resourcecontainers"), joined("resourcecontainers")),
        query("| union (resourcecontainers | project id)", joined("patchassessmentresources")),
        query("| union (resources | project id), (resourcecontainers | project id)"),
        query("| union (maintenanceresources | project id)", table="maintenanceresources"),
        f"let vms = resources | project id; vms {joined('vms')} {joined('patchassessmentresources')}",
        "datatable(id: string)['a'] " + joined("resources"),
    ],
)
def test_what_is_documented_runs(text: str) -> None:
    compile_query(text, now=NOW, checks_tables=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (query(*[joined("resources")] * 2, "| union (resources | project id), (resources | project id)"), MORE),
        (query(joined("maintenanceresources"), joined("patchassessmentresources")), CROSS),
        (query(joined("resourcecontainers"), joined("patchassessmentresources")), CROSS),
        (
            query("| union (maintenanceresources | project id)"),
            "A union of the tables maintenanceresources, resources is not allowed.",
        ),
        (
            query(joined("advisorresources"), "| union (resourcecontainers | project id)"),
            "A union of the tables advisorresources, resourcecontainers, resources is not allowed.",
        ),
        (
            f"let runs = maintenanceresources | project id; {query(joined('runs'), joined('advisorresources'))}",
            CROSS,
        ),
    ],
)
def test_what_is_not_documented_is_refused(text: str, message: str) -> None:
    """Users report that it runs, so it can be had: `graph_tables_together` of the profile."""
    with pytest.raises(KqlError) as refused:
        compile_query(text, now=NOW, checks_tables=True)
    assert refused.value.detail() == {"code": "DisallowedMaxNumberOfRemoteTables", "message": message}
    compile_query(text, now=NOW)


def test_our_own_queries_keep_to_it() -> None:
    """Each text that the product sends; one that is added is found by its table."""
    rooms = (machine_rows, run_rows, schedule_rows)
    texts = [value for room in rooms for value in vars(room).values() if isinstance(value, str) and "\n|" in value]
    texts = [text for text in texts if text.partition("\n")[0].isalpha() and "{" not in text]
    texts += [machine_rows.inventory_query(), machine_rows.inventory_query(["22222222-2222-2222-2222-222222222222"])]
    texts += [run_rows.runs_and_assignments_query(NOW), run_rows.runs_query(NOW), run_rows.installations_query(NOW)]
    texts.append(machine_rows.changes_query(NOW))
    assert len(texts) >= 14
    for text in texts:
        compile_query(text, now=NOW, checks_tables=True)
