"""No recorded api-version is refused, no date that does not exist is let through."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.core.conftest import SUBSCRIPTION, Start, machine

from arm_emulator.protocol.api_versions import COMPUTE_VERSIONS, check_age, check_form
from arm_emulator.protocol.http import ArmError
from arm_emulator.protocol.throttle import namespace_of

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings"
NEWEST = date(2026, 4, 1)
VM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines"


def is_admitted(version: str, namespace: str = "Microsoft.Compute") -> bool:
    try:
        check_form(version)
        check_age(version, namespace, "", "virtualMachines")
    except ArmError:
        return False
    return True


@given(st.dates(), st.sampled_from(["", "-preview", "-Preview", "-privatepreview"]))
def test_every_date_up_to_the_newest(day: date, ending: str) -> None:
    """And none after it; other providers, whose versions are not known, take every date."""
    assert is_admitted(day.isoformat() + ending) == (day <= NEWEST)
    assert is_admitted(day.isoformat() + ending, "Microsoft.Web")


@pytest.mark.parametrize("version", ["2024-13-01", "2024-00-10", "2023-02-29", "24-01-01", "2024-7-1", "x"])
def test_what_is_no_date(version: str) -> None:
    """Refused before any provider is asked."""
    assert not is_admitted(version)


def test_every_recorded_version_is_admitted() -> None:
    """On the path that it was recorded with."""
    if not RECORDINGS.is_dir():
        pytest.skip("the recorded exchanges are not here")
    called = re.compile(r'"(?:https?://[^/"]+)?(/(?:subscriptions|providers)[^"?]*)\?[^"]*?api-version=([^&"\\ ]+)')
    seen = {found.groups() for path in RECORDINGS.rglob("*.json") for found in called.finditer(path.read_text("utf-8"))}
    assert {version for _, version in seen} >= {"2015-04-01", "2016-04-30-preview", "2025-04-01"}
    assert [pair for pair in seen if not is_admitted(pair[1], namespace_of(pair[0]))] == []


def test_the_refusals_are_worded_as_azure_words_them(start: Start) -> None:
    """With location and type of the resource."""
    client = start({"resources": [machine("a")]})
    refused = client("GET", f"{VM}/a?api-version=2099-01-01").json["error"]
    assert refused["message"] == (
        "No registered resource provider found for location 'westeurope' and API version '2099-01-01' for type "
        f"'virtualMachines'. The supported api-versions are '{', '.join(COMPUTE_VERSIONS)}'."
    )
    wrong = client("GET", f"{VM}/a?api-version=2024-07-99").json["error"]
    assert wrong["message"].startswith(
        "The api-version '2024-07-99' is invalid. The supported versions are '2025-04-01,"
    )
