"""Token buckets: the front door's per subscription and principal, the provider's per region or per resource.

Burst and refill are the published figures where Microsoft publishes them (Azure Resource Manager "Request limits and
throttling", Compute "Throttling limits", 2024) and what recorded ``x-ms-ratelimit-remaining-*`` headers show otherwise.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from arm_emulator.clock import Clock
from arm_emulator.protocol.http import ArmError, Request
from arm_emulator.protocol.operations import wire_time

Verb = Literal["reads", "writes", "deletes"]


class ThrottleError(ValueError):
    """A throttle file that cannot be read or names what does not exist."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One kind of bucket: how many calls at once, and how many more each second."""

    burst: float
    per_second: float


def _minute(burst: float, per_minute: float) -> Limit:
    return Limit(burst, per_minute / 60)


ARM_LIMITS: Mapping[str, Limit] = {
    "reads": Limit(250, 25),
    "writes": Limit(200, 10),
    "deletes": Limit(200, 10),
    "global-reads": Limit(3750, 375),
    "global-writes": Limit(3000, 150),
    "global-deletes": Limit(3000, 150),
}
"""Per subscription, principal and kind; the global ones, over all principals, are 15 times that (recorded: 3749)."""

COMPUTE_LIMITS: Mapping[str, Limit] = {
    "PutVMSubscriptionMaximum": _minute(1500, 500),
    "PutVMResource": _minute(12, 4),
    "UpdateVMSubscriptionMaximum": _minute(1500, 500),
    "UpdateVMResource": _minute(12, 4),
    "DeleteVMSubscriptionMaximum": _minute(1500, 500),
    "DeleteVMResource": _minute(12, 4),
    "LowCostGetSubscriptionMaximum": _minute(24000, 8000),
    "LowCostGetResource": _minute(36, 12),
    "HighCostGetSubscriptionMaximum": _minute(900, 300),
    "GetOperationSubscriptionMaximum": _minute(15000, 5000),
    # Documented 45; recorded answers say 59 are left after the first poll. The refill is the documented one.
    "GetOperationResource": _minute(60, 15),
    "VMGuestPatchOperationSubscriptionMaximum": _minute(600, 200),
    "VMGuestPatchOperationResource": _minute(6, 2),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits in force."""

    arm: Mapping[str, Limit] = field(default_factory=lambda: ARM_LIMITS)
    providers: Mapping[str, Limit] = field(default_factory=lambda: COMPUTE_LIMITS)
    graph_queries: int = 15
    graph_window_s: float = 5.0
    """Resource Graph's quota: so many queries in a window of so many seconds, per user."""
    is_off: bool = False
    """Nothing is refused and every header shows a full bucket."""


@dataclass(slots=True)
class _Bucket:
    limit: Limit
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        self.tokens = min(self.limit.burst, self.tokens + (now - self.at) * self.limit.per_second)
        self.at = now


class Throttle:
    """Every bucket of one emulator."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self.limits = limits
        self._buckets: dict[tuple[str, ...], _Bucket] = {}
        self._windows: dict[str, tuple[float, int]] = {}

    def reset(self) -> None:
        """Fill every bucket."""
        self._buckets.clear()
        self._windows.clear()

    def drain(self) -> None:
        """Empty every bucket that is in use (a throttle storm does)."""
        now = self._clock.seconds()
        for bucket in self._buckets.values():
            bucket.tokens, bucket.at = 0.0, now

    def _bucket(self, key: tuple[str, ...], limit: Limit, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(limit, limit.burst, now)
        else:
            bucket.refill(now)
        return bucket

    def spend_arm(self, request: Request, subscription: str, *, retry_header: bool = True) -> dict[str, str]:
        """Take one call out of the front door's buckets.

        Returns:
            The ``x-ms-ratelimit-remaining-*`` headers.

        Raises:
            ArmError: 429 SubscriptionRequestsThrottled (or the tenant's twin) where a bucket is empty.
        """
        verb = _verb(request.method)
        scope = "subscription" if subscription else "tenant"
        names = (verb, f"global-{verb}") if subscription else (verb,)
        if self.limits.is_off:
            return {_header(scope, name): str(int(self.limits.arm[name].burst) - 1) for name in names}
        now = self._clock.seconds()
        buckets = []
        for name in names:
            who = "" if name.startswith("global") else request.principal.object_id
            bucket = self._bucket(("arm", name, subscription, who), self.limits.arm[name], now)
            if bucket.tokens < 1:
                raise _arm_refusal(request, subscription, self._wait(bucket), retry_header=retry_header)
            buckets.append(bucket)
        for bucket in buckets:
            bucket.tokens -= 1
        return {_header(scope, name): str(int(bucket.tokens)) for name, bucket in zip(names, buckets, strict=True)}

    def spend_provider(
        self,
        namespace: str,
        names: Sequence[str],
        *,
        subscription: str,
        region: str,
        resource: str,
        retry_header: bool = True,
    ) -> dict[str, str]:
        """Take one call out of a provider's buckets.

        Args:
            namespace: the provider's.
            names: the buckets, in header order; those that end in ``Resource`` are counted per resource.
            subscription: lower case.
            region: in canonical spelling; ``''`` where the call is not about one region.
            resource: what the ``...Resource`` buckets are counted for; ids in lower case.
            retry_header: whether a refusal carries Retry-After.

        Returns:
            ``x-ms-ratelimit-remaining-resource``, or nothing where no bucket is named.

        Raises:
            ArmError: 429 OperationNotAllowed with the bucket in ``details`` where one is empty.
        """
        if not names:
            return {}
        limits = self.limits.providers
        if self.limits.is_off:
            counts = [(name, int(limits[name].burst) - 1) for name in names]
            return _provider_header(namespace, counts)
        now = self._clock.seconds()
        buckets = []
        for name in names:
            key = ("own", name, resource) if name.endswith("Resource") else ("own", name, subscription, region)
            bucket = self._bucket(key, limits[name], now)
            if bucket.tokens < 1:
                raise self._provider_refusal(name, bucket, retry_header=retry_header)
            buckets.append(bucket)
        for bucket in buckets:
            bucket.tokens -= 1
        counts = [(name, int(bucket.tokens)) for name, bucket in zip(names, buckets, strict=True)]
        return _provider_header(namespace, counts)

    def spend_graph(self, user: str) -> dict[str, str]:
        """Take one Resource Graph query out of a user's window.

        Returns:
            The quota headers every answer carries.

        Raises:
            ArmError: 429 RateLimiting where the window is used up.
        """
        size, length = self.limits.graph_queries, self.limits.graph_window_s
        now = self._clock.seconds()
        start, used = self._windows.get(user, (now, 0))
        if now - start >= length:
            start, used = now, 0
        resets = _clock_text(self._clock.client_seconds(max(0.0, start + length - now)))
        if used >= size and not self.limits.is_off:
            headers = {**_quota_headers(0, resets), "Retry-After": str(_seconds_of(resets))}
            message = "Client application has been throttled and should not attempt to repeat the request until an amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."  # noqa: E501  one sentence of the service
            details = ({"code": "RateLimiting", "message": message},)
            raise ArmError(429, "RateLimiting", GRAPH_SUPPORT, details=details, headers=headers)
        used = 1 if self.limits.is_off else used + 1
        self._windows[user] = (start, used)
        return _quota_headers(size - used, resets)

    def _wait(self, bucket: _Bucket) -> int:
        emulated = (1 - bucket.tokens) / bucket.limit.per_second if bucket.limit.per_second > 0 else 3600.0
        return max(1, math.ceil(self._clock.client_seconds(emulated)))

    def _provider_refusal(self, name: str, bucket: _Bucket, *, retry_header: bool) -> ArmError:
        now = self._clock.now()
        measured = {
            "operationGroup": name,
            "startTime": wire_time(now),
            "endTime": wire_time(now),
            "allowedRequestCount": int(bucket.limit.burst),
            "measuredRequestCount": int(bucket.limit.burst) + 1,
        }
        return ArmError(
            429,
            "OperationNotAllowed",
            "The server rejected the request because too many requests have been received for this subscription.",
            details=({"code": "TooManyRequests", "target": name, "message": json.dumps(measured)},),
            innererror={"internalErrorCode": "TooManyRequestsReceived"},
            headers={"Retry-After": str(self._wait(bucket))} if retry_header else {},
            crlf=True,
        )


GRAPH_SUPPORT = (
    "Please provide below info when asking for support: timestamp = {timestamp}, correlationId = {correlation}."
)


def namespace_of(pattern: str) -> str:
    """The last provider namespace in a pattern or path, ``''`` where it has none."""
    lowered = pattern.lower()
    at = lowered.rfind("/providers/")
    return pattern[at + len("/providers/") :].split("/", 1)[0] if at >= 0 else ""


def _verb(method: str) -> Verb:
    return "reads" if method in ("GET", "HEAD") else "deletes" if method == "DELETE" else "writes"


def _header(scope: str, name: str) -> str:
    return f"x-ms-ratelimit-remaining-{scope}-{name}"


def _provider_header(namespace: str, counts: list[tuple[str, int]]) -> dict[str, str]:
    text = ",".join(f"{namespace}/{name};{left}" for name, left in counts)
    return {"x-ms-ratelimit-remaining-resource": text}


def _quota_headers(left: int, resets: str) -> dict[str, str]:
    return {
        "x-ms-ratelimit-remaining-tenant-resource-requests": str(left),
        "x-ms-user-quota-remaining": str(left),
        "x-ms-user-quota-resets-after": resets,
    }


def _clock_text(seconds: float) -> str:
    whole = math.ceil(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _seconds_of(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return max(1, hours * 3600 + minutes * 60 + seconds)


def _arm_refusal(request: Request, subscription: str, wait: int, *, retry_header: bool) -> ArmError:
    segments = [part for at, part in enumerate(request.path.strip("/").upper().split("/")) if at % 2 == 0]
    provider = namespace_of(request.path).upper()
    if provider:
        kept = request.path.upper().split("/PROVIDERS/")[0].strip("/").split("/")[::2]
        types = request.path.upper().rsplit("/PROVIDERS/", 1)[1].split("/")[1::2]
        segments = [*kept, "PROVIDERS", provider, *types]
    operation = f"{request.method}/{'/'.join(segments)}/"
    who = f"subscription '{subscription}'" if subscription else f"tenant '{request.principal.tenant_id}'"
    code = "SubscriptionRequestsThrottled" if subscription else "TenantRequestsThrottled"
    message = (
        f"Number of requests for {who} and operation '{operation}' exceeded the backend storage limit. "
        f"Please try again after '{wait}' seconds."
    )
    return ArmError(429, code, message, headers={"Retry-After": str(wait)} if retry_header else {}, gateway=True)


def limits_from(choice: str) -> Limits:
    """The limits of a ``--throttle`` choice: ``azure``, ``off`` or a JSON file.

    The file is ``{"arm": {"writes": {"burst": 200, "perSecond": 10}}, "providers": {"UpdateVMResource": {"burst": 12,
    "perMinute": 4}}, "resourceGraph": {"queries": 15, "windowSeconds": 5}}``; what it leaves out stays Azure's.

    Raises:
        ThrottleError: when the file cannot be read, or names a bucket that does not exist.
    """
    if choice == "azure":
        return Limits()
    if choice == "off":
        return Limits(is_off=True)
    try:
        content = msgspec.json.decode(Path(choice).read_bytes(), type=dict[str, dict[str, Any]])
    except (OSError, msgspec.DecodeError) as error:
        raise ThrottleError(f"throttle file {choice}: {error}") from error
    unknown = set(content) - {"arm", "providers", "resourceGraph"}
    if unknown:
        raise ThrottleError(f"throttle file {choice}: unknown member {', '.join(sorted(unknown))}")
    graph = content.get("resourceGraph", {})
    _check_figures("resourceGraph", graph, choice)
    return Limits(
        arm=_overlaid(ARM_LIMITS, content.get("arm", {}), choice),
        providers=_overlaid(COMPUTE_LIMITS, content.get("providers", {}), choice),
        graph_queries=int(graph.get("queries", 15)),
        graph_window_s=float(graph.get("windowSeconds", 5)),
    )


def _check_figures(name: str, figures: object, choice: str) -> None:
    values = figures.values() if isinstance(figures, dict) else [None]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) and value > 0 for value in values):
        raise ThrottleError(f"throttle file {choice}: {name} is not an object of numbers above 0")


def _overlaid(base: Mapping[str, Limit], given: dict[str, Any], choice: str) -> dict[str, Limit]:
    merged = dict(base)
    for name, figures in given.items():
        if name not in base:
            raise ThrottleError(f"throttle file {choice}: unknown bucket {name}; known: {', '.join(base)}")
        _check_figures(name, figures, choice)
        rate = figures.get("perSecond", figures["perMinute"] / 60 if "perMinute" in figures else base[name].per_second)
        merged[name] = Limit(float(figures.get("burst", base[name].burst)), float(rate))
    return merged
