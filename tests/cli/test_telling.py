"""Errors as they are told: words for people, codes only where a service sent them."""

import pytest

from patchmode.cli.main import tell
from patchmode.errors import ForbiddenError, NotSentError, PatchmodeError, RejectedError, UsageError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UsageError("No."), "patchmode: No.\n"),
        (UsageError("No.", advice="Try."), "patchmode: No.\n  What to do: Try.\n"),
        (
            ForbiddenError("GET x was refused: no.", code="AuthorizationFailed", status=403),
            "patchmode: GET x was refused: no.\n  HTTP status 403, code AuthorizationFailed\n",
        ),
        (
            RejectedError("GET x was answered 502: no body", code="NoErrorBody", status=502, request_id="r"),
            "patchmode: GET x was answered 502: no body\n  HTTP status 502, request id r\n",
        ),
        (
            RejectedError("rows without an `id`", code="NoIdColumn", status=200, advice="Project id."),
            "patchmode: rows without an `id`\n  What to do: Project id.\n",
        ),
        (NotSentError("GET x was not sent: refused", code="NotSent"), "patchmode: GET x was not sent: refused\n"),
    ],
    ids=lambda value: getattr(value, "message", None),
)
def test_what_is_told_of_an_error(error: PatchmodeError, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`HTTP status 200, code NoIdColumn` sent readers looking for a fault in Azure."""
    tell(error)
    assert capsys.readouterr() == ("", told)
