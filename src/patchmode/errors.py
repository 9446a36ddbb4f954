"""The exceptions of patchmode. What happens to a single machine is a value (`MachineError`), never one of these.

    PatchmodeError                 says what was attempted, what happened, what to do next
    ├── UsageError                 the request itself is wrong (exit 2)
    ├── EmptyScopeError            nothing matched (exit 3)
    ├── RefusedError               refused as a whole, nothing was sent (exit 12)
    │   ├── WrongTargetError       the plan or run belongs to another cloud or tenant
    │   ├── BrokenPlanError        not a plan, cut short, edited, or from an unknown version
    │   └── UnsafeError            an invariant or a brake forbids it
    ├── RunBusyError               another process holds the run (exit 12)
    ├── StorageError               the state folder cannot be written: full disk, no permission (exit 1)
    ├── SignInError                no credential gave a token (exit 1)
    ├── CloudError                 the cloud's metadata cannot be read or trusted (exit 1)
    └── RequestError               one request to Resource Manager did not succeed
        ├── NotSentError           certainly not received by the service
        ├── MaybeAppliedError      sent, and no usable answer came back
        └── RejectedError          the service answered and refused
            ├── PreconditionError  412: the etag does not match
            ├── ThrottledError     held back by Azure's limits for longer than there is patience
            └── ForbiddenError     401 or 403

Must not: print, log or exit.
"""

OUR_CODES = frozenset(
    {
        "ForeignHost",
        "GatewayPage",
        "NoAnswer",
        "NoErrorBody",
        "NoIdColumn",
        "NotSecure",
        "NotSent",
        "NotTrusted",
        "ResultTruncated",
        "Stopped",
        "Throttled",
        "TenantSubscriptionLimit",
        "UnnamedError",
        "UnreadableBody",
        "UnusableAnswer",
    }
)
"""Codes of a `RequestError` that no service sent. They are for programs; the message says the same in words."""


class PatchmodeError(Exception):
    """Root of every error that patchmode raises on purpose.

    Args:
        message: what was attempted and what happened, one sentence.
        advice: what to do next, one sentence; empty where the message says it all.
    """

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UsageError(PatchmodeError):
    """The command or call is wrong in itself."""


class NoSelectorError(UsageError):
    """A command that may write was not told which machines."""


class EmptyScopeError(PatchmodeError):
    """The scope matched no machine."""


class RefusedError(PatchmodeError):
    """Refused as a whole before anything was sent."""


class WrongTargetError(RefusedError):
    """A plan or run for one target was used on another."""


class BrokenPlanError(RefusedError):
    """The file is not a plan this version may apply."""


class UnsafeError(RefusedError):
    """An invariant or a brake forbids the operation."""


class RunBusyError(PatchmodeError):
    """Another process holds the run; the message says which and since when."""


class StorageError(PatchmodeError):
    """A file in the state folder could not be written or read."""


class SignInError(PatchmodeError):
    """No credential gave a token; the message lists what was tried."""


class CloudError(PatchmodeError):
    """The cloud is unknown, or its metadata document cannot be read."""


class RequestError(PatchmodeError):
    """One request to Resource Manager did not succeed.

    Args:
        message: method, resource and what happened.
        code: Azure's error code, or ours in CamelCase where the answer carried none.
        status: HTTP status; None where there was no answer.
        request_id: `x-ms-request-id`; correlation_id: `x-ms-correlation-request-id`, for a support case.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        target: str | None = None,
        request_id: str | None = None,
        correlation_id: str | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(message, advice=advice)
        self.code = code
        self.status = status
        self.target = target
        self.request_id = request_id
        self.correlation_id = correlation_id

    @property
    def service_code(self) -> str | None:
        """The code that the service itself answered; None where it named none."""
        return None if self.code in OUR_CODES else self.code


class NotSentError(RequestError):
    """The service certainly did not receive the request."""


class MaybeAppliedError(RequestError):
    """The request was sent and no usable answer came back: a write may have been applied."""


class RejectedError(RequestError):
    """The service answered and refused; nothing was changed."""


class PreconditionError(RejectedError):
    """412: the resource's etag is not the one in If-Match."""


class ThrottledError(RejectedError):
    """Azure's limits held the request back for longer than the throttle patience: a 429, or an earlier one's."""


class ForbiddenError(RejectedError):
    """401 or 403: authorization, deny assignment or policy."""
