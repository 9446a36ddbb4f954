"""Every shape of error that Azure was seen to use is read, and ends as the class that says what may have happened."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.arm.failures import Attempt, ServiceFault, read_fault, rejection
from patchmode.errors import (
    ForbiddenError,
    MaybeAppliedError,
    PreconditionError,
    RejectedError,
    RequestError,
    ThrottledError,
)

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings"
READ = Attempt("GET", "/subscriptions/s/x", is_read=True)
WRITE = Attempt("PATCH", "/subscriptions/s/x", is_read=False)
NGINX = b"<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n<body>nginx</body></html>"
CODELESS = {"NoErrorBody", "GatewayPage", "UnnamedError"}


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b'{"error":{"code":"ResourceNotFound","message":"gone"}}', "ResourceNotFound", "gone"),
        (b'{"Error":{"Code":"InvalidMaintenanceWindow","Message":"bad"}}', "InvalidMaintenanceWindow", "bad"),
        (b'{"Message":"An error has occurred."}', "UnnamedError", "An error has occurred."),
        (b'{"message":"lower"}', "UnnamedError", "lower"),
        (b'{"code":"NotFound","message":"no envelope"}', "NotFound", "no envelope"),
        (b'{"error":"invalid_client"}', "UnnamedError", "invalid_client"),
        (b'{"error":{"details":[{"code":"Inner","message":"only here"}]}}', "Inner", "only here"),
        (b'\xef\xbb\xbf{"error":{"code":"X","message":"marked"}}', "X", "marked"),
        (b"", "NoErrorBody", "no body"),
        (b"  \r\n", "NoErrorBody", "no body"),
        (NGINX, "GatewayPage", "429 Too Many Requests"),
        (b"<?xml version='1.0'?><Error><Code>Busy</Code><Message>later</Message></Error>", "Busy", "later"),
        (b"upstream connect error", "UnreadableBody", "upstream connect error"),
        (b"[1, 2]", "UnnamedError", "[1, 2]"),
        (b"null", "UnnamedError", "null"),
    ],
)
def test_every_shape_is_read(body: bytes, code: str, said: str) -> None:
    fault = read_fault(body)
    assert fault.code == code
    assert said in fault.message


def test_a_code_of_ours_is_not_told_as_the_services() -> None:
    """`500 NoErrorBody` reads as if Azure had said so; programs still find it in `code`."""
    error = rejection(READ, 500, read_fault(b""), {})
    assert str(error) == "GET /subscriptions/s/x was answered 500: the answer had no body"
    assert (error.code, error.service_code) == ("NoErrorBody", None)
    named = rejection(READ, 404, read_fault(b'{"error":{"code":"NotFound","message":"gone"}}'), {})
    assert str(named) == "GET /subscriptions/s/x was answered 404 NotFound: gone"
    assert named.service_code == "NotFound"


GROUP = "/subscriptions/s/resourceGroups/rg"
MACHINE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm"


@pytest.mark.parametrize(
    ("path", "code", "what"),
    [
        (MACHINE, "ResourceNotFound", "machine"),
        (f"{MACHINE}/instanceView", "ResourceNotFound", "machine"),
        (f"{GROUP}/providers/Microsoft.HybridCompute/machines/arc", "ResourceNotFound", "machine"),
        (
            f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/c",
            "NotFound",
            "maintenance configuration",
        ),
        (
            f"{MACHINE}/providers/Microsoft.Maintenance/configurationAssignments/a",
            "NotFound",
            "assignment, or what it is on,",
        ),
        (f"{MACHINE}/providers/Microsoft.Maintenance/configurationAssignments", "NotFound", "machine"),
        (MACHINE, "ResourceGroupNotFound", "resource group"),
        (GROUP, "NotFound", "resource group"),
        (f"{GROUP}/providers/Microsoft.Compute/virtualMachines", "NotFound", "resource group"),
        ("/subscriptions/s/x", "NotFound", "resource"),
    ],
)
def test_advice_on_what_is_missing_names_what_was_asked_for(path: str, code: str, what: str) -> None:
    error = rejection(Attempt("GET", path, is_read=True), 404, ServiceFault(code, "gone"), {})
    assert error.advice == f"Check the id; the {what} may have been deleted or moved since it was listed."


def test_resource_graph_says_where_the_query_is_wrong() -> None:
    """The position stands in the details, beside a message that says nothing (recorded)."""
    position = {"line": 1, "characterPositionInLine": 34, "token": "<EOF>"}
    body = {
        "error": {
            "code": "BadRequest",
            "message": "Please provide below info when asking for support",
            "details": [
                {"code": "InvalidQuery", "message": "Query is invalid."},
                {"code": "ParserFailure", "message": "ParserFailure", **position},
            ],
        }
    }
    fault = read_fault(json.dumps(body).encode())
    assert fault.code == "BadRequest"
    assert "Query is invalid. ParserFailure (line 1, position 34, at '<EOF>')" in fault.message


def test_computes_throttle_hides_behind_another_code() -> None:
    """429 `OperationNotAllowed`, with a JSON text inside that is for machines."""
    inner = '{"operationGroup":"HighCostGet","allowedRequestCount":900,"measuredRequestCount":901}'
    body = {
        "error": {
            "code": "OperationNotAllowed",
            "message": "too many requests",
            "details": [{"code": "TooManyRequests", "target": "UpdateVMResource", "message": inner}],
            "innererror": {"internalErrorCode": "TooManyRequestsReceived"},
        }
    }
    fault = read_fault(json.dumps(body).encode())
    assert fault.codes == ("OperationNotAllowed", "TooManyRequests", "TooManyRequestsReceived")
    assert fault.message == "too many requests"
    assert fault.is_one_resource


def refused_by_policy(message: str, *violations: Any) -> ServiceFault:
    body = {
        "error": {
            "code": "RequestDisallowedByPolicy",
            "target": "web-01",
            "message": message,
            "additionalInfo": list(violations),
        }
    }
    return read_fault(json.dumps(body).encode())


def violation(**members: str) -> dict[str, Any]:
    return {"type": "PolicyViolation", "info": members}


@pytest.mark.parametrize(
    ("message", "violations", "expected"),
    [
        (
            "Disallowed.",
            [violation(policyDefinitionDisplayName="Allowed images", policyAssignmentDisplayName="Corp images")],
            "Disallowed. Policy: 'Allowed images', assigned as 'Corp images'.",
        ),
        (
            "Disallowed.",
            [
                violation(policyDefinitionName="d1"),
                violation(policyDefinitionName="d1"),
                violation(policyAssignmentName="a1"),
            ],
            "Disallowed. Policy: 'd1'. Policy: 'a1'.",
        ),
        ("Disallowed by 'd1'.", [violation(policyDefinitionName="d1")], "Disallowed by 'd1'."),
        (
            "Disallowed.",
            [{"type": "Other", "info": {"policyDefinitionName": "d1"}}, 7, violation(), None],
            "Disallowed.",
        ),
        (
            "Disallowed.",
            [violation(policyDefinitionName=f"d{n}") for n in range(9)],
            "Disallowed. Policy: 'd0'. Policy: 'd1'. Policy: 'd2'. Policy: 'd3'.",
        ),
    ],
)
def test_policies_that_refused_are_named(message: str, violations: list[Any], expected: str) -> None:
    """Whoever reads it must know whom to ask for an exemption."""
    assert refused_by_policy(message, *violations).message == expected


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (400, "InvalidParameter", "Retrying will not help."),
        (403, "RequestDisallowedByPolicy", "exemption"),
        (409, "ReadOnlyDisabledSubscription", "enabled again"),
    ],
)
def test_refusals_come_with_advice(status: int, code: str, advice: str) -> None:
    assert advice in rejection(WRITE, status, ServiceFault(code, "no"), {}).advice


def test_seconds_in_the_text_are_found() -> None:
    """The header may be missing (recorded)."""
    body = b'{"error":{"code":"SubscriptionRequestsThrottled","message":"Please try again after \'6\' seconds."}}'
    assert read_fault(body).retry_in_s == 6


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("ConflictingConcurrentWriteNotAllowed", "interrupted", True),
        ("Conflict", "The request failed due to conflict with a concurrent request. …", True),
        ("Conflict", "DiskAccess resource is in failed state.", False),
        ("PropertyChangeNotAllowed", "Changing property 'osProfile' is not allowed.", False),
        ("OperationNotAllowed", "not allowed while the VM is running", False),
    ],
)
def test_only_a_concurrent_write_may_be_repeated(code: str, message: str, expected: bool) -> None:
    assert ServiceFault(code, message).is_concurrent is expected


@pytest.mark.parametrize(
    ("attempt", "status", "lost_before", "kind"),
    [
        (WRITE, 400, False, RejectedError),
        (WRITE, 401, False, ForbiddenError),
        (WRITE, 403, False, ForbiddenError),
        (WRITE, 404, False, RejectedError),
        (WRITE, 408, False, MaybeAppliedError),
        (WRITE, 409, False, RejectedError),
        (WRITE, 412, False, PreconditionError),
        (WRITE, 412, True, MaybeAppliedError),
        (WRITE, 429, False, ThrottledError),
        (WRITE, 500, False, MaybeAppliedError),
        (WRITE, 502, False, MaybeAppliedError),
        (WRITE, 503, False, MaybeAppliedError),
        (WRITE, 504, False, MaybeAppliedError),
        (READ, 403, False, ForbiddenError),
        (READ, 429, False, ThrottledError),
        (READ, 500, False, RejectedError),
        (READ, 504, False, RejectedError),
        (READ, 307, False, RejectedError),
    ],
)
def test_the_class_says_whether_it_may_have_been_applied(
    attempt: Attempt, status: int, lost_before: bool, kind: type[RequestError]
) -> None:
    headers = {"x-ms-request-id": "r", "x-ms-correlation-request-id": "c"}
    error = rejection(attempt, status, ServiceFault("Code", "what Azure said"), headers, lost_before=lost_before)
    assert type(error) is kind
    assert (error.code, error.status, error.request_id, error.correlation_id) == ("Code", status, "r", "c")
    assert str(error) == f"{attempt.method} /subscriptions/s/x was answered {status} Code: what Azure said"


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    assert read_fault(body).message


MEMBERS = ["error", "Error", "code", "Message", "details", "innererror", "additionalInfo", "type", "info", "x"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_no_document_breaks_the_reader(document: Any) -> None:
    fault = read_fault(json.dumps(document).encode())
    assert fault.code
    assert fault.message


def _recorded() -> list[Path]:
    return sorted(path for folder in ("errors", "reported_errors") for path in (RECORDINGS / folder).glob("*.json"))


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded exchanges are not beside this checkout")
def test_recorded_errors_are_read_with_their_codes() -> None:
    """Each code that a recorded body names at its top is found; a body that names none gets one of ours."""
    paths = _recorded()
    assert len(paths) > 50
    for path in paths:
        answer = json.loads(path.read_text("utf-8"))["response"]
        body = answer["body"]
        raw = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        fault = read_fault(raw)
        holder = body.get("error") or body.get("Error") or body if isinstance(body, dict) else {}
        named = holder.get("code") or holder.get("Code")
        if named:
            assert fault.code == named, path.name
        elif not isinstance(body, dict) or "details" not in holder:
            assert fault.code in CODELESS | {"ContainerAlreadyExists"}, path.name
        assert fault.message, path.name
        assert issubclass(type(rejection(WRITE, answer["status"], fault, {})), RequestError)


def test_the_text_of_a_page_is_read_without_its_scripts() -> None:
    page = (
        b"<html><style>b{c:d}</style><SCRIPT>x<y</SCRIPT ><p>Bad\n Gateway</p><!-- <p>no</p> --> try again in 7 seconds"
    )
    fault = read_fault(page)
    assert fault.code == "GatewayPage"
    assert fault.message.startswith("a gateway answered with a page instead of JSON: Bad Gateway")
    assert fault.retry_in_s == 7


@pytest.mark.parametrize(
    "body",
    [b"<" + b"<style" * 32_000, b"<script>" * 24_000, b"<p>" * 64_000, b"<style><" * 24_000, b"<" * 192_000],
)
def test_a_page_without_end_is_a_page(body: bytes) -> None:
    """192 kB of `<style` took 41 s; the growth of steps is held by the tests of expressions, and there is none here."""
    assert read_fault(body).code == "GatewayPage"


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIxMTExIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (f"The token {TOKEN} has expired.", "The token ***** has expired."),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer *****"),
        ("see https://x.example/b?sv=1&sig=a%2Bb%3D&se=2", "see https://x.example/b?sv=1&sig=*****&se=2"),
        ("The Bearer token is missing.", "The Bearer token is missing."),
        ("eyjafjalla-01.contoso.example did not answer", "eyjafjalla-01.contoso.example did not answer"),
        ("see https://go.microsoft.com/fwlink/?linkid=1&clcid=0x409", None),
    ],
)
def test_a_token_that_a_service_repeats_is_not_kept(message: str, said: str | None) -> None:
    """What an error says is printed, and stands in journals, reports and evidence; all but what opens a door."""
    assert read_fault(json.dumps({"error": {"code": "X", "message": message}}).encode()).message == (said or message)
    assert TOKEN not in read_fault(f"<html>{message}</html>".encode()).message


def test_looking_for_tokens_takes_linear_time() -> None:
    """An answer may be made to hold what looks like the beginning of many."""
    for piece in ("eyJ", "-eyJ", "eyJaaaaaaaaaa.", "Bearer ", "?sig="):
        text = piece * 200_000
        assert read_fault(json.dumps({"error": {"code": "X", "message": text}}).encode()).code == "X"
