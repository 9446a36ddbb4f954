"""Why a run failed, in each shape in which a record may say so."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.arm.run_rows import failure_of, reasons_in
from patchmode.model.schedule import FailureKind

PREREQUISITE = (
    '"Patch orchestration mode is not set to AutomaticByPlatform",The prerequisites to patch your machine were not '
    "met. Please set the patchMode to AutomaticByPlatform and bypassPlatformChecksOnUserSchedule as true."
)
REASONS = [
    ("UnsupportedResourceOperation", PREREQUISITE, FailureKind.PREREQUISITE),
    ("X", "set bypassPlatformSafetyChecksOnUserSchedule first", FailureKind.PREREQUISITE),
    ("X", "The prerequisites were not met.", FailureKind.PREREQUISITE),
    ("ShutdownOrUnresponsive", "The machine did not answer.", FailureKind.OFF),
    ("TimeOut", "The operation took too long.", FailureKind.TIMED_OUT),
    ("X", "Schedule timeout, waiting for an ongoing update to complete the resource.", FailureKind.TIMED_OUT),
    ("OperationTimedOut", "…", FailureKind.TIMED_OUT),
    ("MaintenanceWindowExceeded", "no time left", FailureKind.WINDOW_EXCEEDED),
    ("X", "Maintenance cancelled using cancellation API at 03:00", FailureKind.CANCELLED),
    ("X", "Maintenance cancelled due to internal platform failure at 03:00", FailureKind.CANCELLED),
    ("X", "The selected VM image is not supported for VM Guest patch operations.", FailureKind.UNSUPPORTED),
    ("UnsupportedOperatingSystem", "…", FailureKind.UNSUPPORTED),
    ("UnsupportedResourceOperation", "The configuration's scope does not fit.", FailureKind.OTHER),
    ("InternalExecutionError", "An internal execution error occurred. Please retry later.", FailureKind.OTHER),
]
SHAPES: list[Callable[[str, str], dict[str, Any]]] = [
    lambda code, message: {"errorDetails": {"code": code, "message": message, "details": []}},
    lambda code, message: {"errorDetails": {"code": "Failed", "details": [{"code": code, "message": message}]}},
    lambda code, message: {"errorMessage": f"{code}: {message}"},
    lambda code, message: {"error": {"Code": code, "Message": message}},
    lambda code, message: {"errorDetails": json.dumps({"error": {"code": code, "message": message}})},
    lambda code, message: {"errors": [{"innererror": {"code": code, "message": message}}]},
    lambda code, message: {"result": {"note": [code, message]}},
    lambda code, message: {"anythingElse": {"deep": [{"text": f"{code} {message}"}]}},
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize("shape", SHAPES[:6])
@pytest.mark.parametrize(("code", "message", "kind"), REASONS)
def test_every_reason_in_every_shape(
    shape: Callable[[str, str], dict[str, Any]], code: str, message: str, kind: FailureKind
) -> None:
    bag = {"status": "Failed", "maintenanceScope": "InGuestPatch", **shape(code, message)}
    assert failure_of("Failed", bag) is kind
    assert message in reasons_in(bag)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("code", "message", "kind"), [one for one in REASONS if one[2] is not FailureKind.OTHER])
def test_a_known_reason_is_found_wherever_it_stands(
    shape: Callable[[str, str], dict[str, Any]], code: str, message: str, kind: FailureKind
) -> None:
    assert failure_of("Failed", shape(code, message)) is kind


@pytest.mark.parametrize("status", ["Succeeded", "COMPLETED", "InProgress", "Pending", "RetryLater"])
def test_what_did_not_fail_has_no_failure(status: str) -> None:
    """Even where an error of an earlier try is still recorded."""
    assert failure_of(status, {"errorDetails": {"message": PREREQUISITE}}) is None


@pytest.mark.parametrize(
    ("status", "bag", "kind"),
    [
        ("Failed", {}, FailureKind.NOT_TOLD),
        ("Failed", None, FailureKind.NOT_TOLD),
        ("failed", {"status": "Failed", "errorDetails": {}}, FailureKind.NOT_TOLD),
        ("Failed", {"errorDetails": {"code": "Success", "message": "0 error/s reported"}}, FailureKind.NOT_TOLD),
        ("Failed", {"maintenanceWindowExceeded": False}, FailureKind.NOT_TOLD),
        ("Failed", {"maintenanceWindowExceeded": True}, FailureKind.WINDOW_EXCEEDED),
        ("Failed", {"maintenanceWindowExceeded": "true"}, FailureKind.WINDOW_EXCEEDED),
        ("Cancelled", {}, FailureKind.CANCELLED),
        ("Canceled", {}, FailureKind.CANCELLED),
        ("TimeOut", {}, FailureKind.TIMED_OUT),
        ("TimedOut", {}, FailureKind.TIMED_OUT),
        ("ShutdownOrUnresponsive", {}, FailureKind.OFF),
        ("SomethingNew", {}, FailureKind.OTHER),
        ("", {}, None),
        ("", {"errorMessage": PREREQUISITE}, FailureKind.PREREQUISITE),
    ],
)
def test_statuses(status: str, bag: Any, kind: FailureKind | None) -> None:
    assert failure_of(status, bag) is kind


def test_names_of_things_are_no_reasons() -> None:
    """A configuration may be called after what it is to prevent."""
    identity = "/subscriptions/s/resourceGroups/prerequisites/providers/Microsoft.Compute/virtualMachines/timeout"
    bag = {
        "id": identity,
        "resourceId": identity,
        "name": "prerequisites",
        "correlationId": "timeout",
        "maintenanceConfiguration": {"name": "prerequisites", "properties": {"text": "timeout"}},
    }
    assert failure_of("Failed", bag) is FailureKind.NOT_TOLD
    assert failure_of("Failed", {**bag, "errorDetails": {"code": "ShutdownOrUnresponsive"}}) is FailureKind.OFF


def test_what_an_error_says_goes_before_what_stands_elsewhere() -> None:
    bag = {"hint": "see the prerequisites", "errorDetails": {"code": "ShutdownOrUnresponsive", "message": "off"}}
    assert failure_of("Failed", bag) is FailureKind.OFF


def test_messages_come_once_and_codes_only_where_there_is_none() -> None:
    inner = {"code": "A", "message": "first"}
    bag = {"errorDetails": {"code": "B", "message": "outer", "details": [inner, inner, {"message": "second"}]}}
    assert reasons_in(bag) == "outer first second"
    assert reasons_in({"errorDetails": {"code": "ShutdownOrUnresponsive", "message": ""}}) == "ShutdownOrUnresponsive"
    assert reasons_in({"errorDetails": {"code": "Success", "message": "0 error/s reported"}}) == ""
    assert reasons_in({"status": "Failed", "failedPatchCount": 3, "errorCount": "3"}) == ""


@given(st.text(max_size=10), json_values)
def test_no_record_breaks_the_reading(status: str, bag: Any) -> None:
    """Whatever is recorded, the answer is a kind or none; and a failure that says why is never `not told`."""
    kind = failure_of(status, bag)
    assert kind is None or isinstance(kind, FailureKind)
    assert not (kind is FailureKind.NOT_TOLD and reasons_in(bag))
