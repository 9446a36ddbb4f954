"""A saved `audit -o json` read back whole, so that a report can be made of it later and elsewhere.

Must not: read files, or take what it does not know: a report must not leave out what it was given.
"""

import msgspec

from patchmode.errors import RefusedError
from patchmode.reports.audit_document import AuditDocument

AUDIT_FORMAT = "patchmode/audit/v1"


def read_audit(content: bytes, *, name: str) -> AuditDocument:
    """The audit in a document whose format says that it is one.

    Args:
        content: the whole file.
        name: how messages call it.

    Raises:
        RefusedError: it does not hold together, or holds members that this version does not know.
    """
    try:
        return msgspec.json.decode(content, type=AuditDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(
            f"{name} does not hold together as {AUDIT_FORMAT}: {error}.",
            advice="Another version may have written it. Make it again with `patchmode audit -o json`.",
        ) from error
