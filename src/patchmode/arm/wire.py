"""JSON to model: what Resource Manager answers becomes the model's values, field by field, each with its source.

Must not: send or judge anything. What a machine's document means stands in `machine_reading`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from patchmode.model.machine import Lock, Subscription
from patchmode.model.patch_settings import OperatingSystem
from patchmode.workflow.ports import OperationState, OperationStatus

_EMPTY: Mapping[str, Any] = {}


def decode(body: bytes, shape: Any = Any) -> Any:
    """Decode a JSON answer.

    Args:
        body: UTF-8; a byte order mark and surrounding white space are allowed, as recorded answers carry both.
        shape: a msgspec type to decode into; booleans and numbers may then stand in quotes, as recorded ones do.

    Returns:
        The value; None for an empty body.

    Raises:
        ValueError: the body is not JSON (an HTML page of a gateway, or cut short), or not of the shape.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=shape, strict=False)
    except msgspec.DecodeError as error:
        msg = f"the answer cannot be read: {error}"
        raise ValueError(msg) from error


def member(holder: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path, or an empty one where a member is absent, null or no object.

    Args:
        holder: any JSON object.
        path: member names, spelled as on the wire.
    """
    found: Any = holder
    for name in path:
        found = found.get(name)
        if not isinstance(found, Mapping):
            return _EMPTY
    return found  # type: ignore[no-any-return]  # narrowed by the loop, or the holder itself


def operating_system(value: object) -> OperatingSystem | None:
    """`osType` without regard to case: Compute writes `Windows`, HybridCompute also `windows`. None: neither."""
    if not isinstance(value, str):
        return None
    return {"windows": OperatingSystem.WINDOWS, "linux": OperatingSystem.LINUX}.get(value.casefold())


def subscription_from_document(document: Mapping[str, Any]) -> Subscription:
    """One entry of `GET /subscriptions`; `tenantId` is absent for some logins and then empty here.

    Source: azure-mgmt-resource `Subscription`.
    """
    subscription_id = document.get("subscriptionId") or str(document.get("id", "")).rsplit("/", 1)[-1]
    return Subscription(
        id=str(subscription_id).lower(),
        name=document.get("displayName") or "",
        tenant_id=document.get("tenantId") or "",
        state=document.get("state") or "Enabled",
    )


def lock_from_document(document: Mapping[str, Any]) -> Lock:
    """One management lock; its scope is the id up to the lock itself.

    Source: azure-mgmt-resource `ManagementLockObject`.
    """
    text = str(document.get("id", ""))
    at = text.lower().rfind("/providers/microsoft.authorization/locks/")
    return Lock(
        scope=text[:at] if at >= 0 else text,
        name=document.get("name") or text.rsplit("/", 1)[-1],
        level=member(document, "properties").get("level") or "",
    )


def operation_from_document(document: Mapping[str, Any], retry_after_s: float | None) -> OperationStatus:
    """One answer of an operation's URL.

    Args:
        document: `{"startTime", "status", "name"[, "endTime"][, "error"]}`; HTTP 200 also where the operation failed.
        retry_after_s: what the answer's headers asked for; None: nothing.

    Returns:
        Any status but the three ends counts as in progress, because services invent names for what still runs.

    Source: recorded operation polls; the ends are Resource Manager's, for all providers.
    """
    status = str(document.get("status") or "").casefold()
    ends = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELED)
    state = next((end for end in ends if end.value.casefold() == status), OperationState.IN_PROGRESS)
    error = member(document, "error")
    return OperationStatus(
        state=OperationState.CANCELED if status == "cancelled" else state,
        error_code=error.get("code"),
        error_message=error.get("message"),
        retry_after_s=retry_after_s,
    )
