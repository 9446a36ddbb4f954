"""The checks every call passes before a provider sees it, in Azure Resource Manager's order.

Token, api-version, tenant and subscription, the front door's own buckets, roles, deny assignments, locks, provider
registration, resource group, the provider's buckets; then the handler.
"""

from typing import TYPE_CHECKING

from arm_emulator.protocol import sign_in
from arm_emulator.protocol.api_versions import check_age, check_form, unknown_version
from arm_emulator.protocol.authorization import client
from arm_emulator.protocol.http import ArmError, Request, Response
from arm_emulator.protocol.routing import Match, Route
from arm_emulator.protocol.throttle import namespace_of
from arm_emulator.protocol.tokens import refusal
from arm_emulator.resource_id import parse_id

if TYPE_CHECKING:
    from arm_emulator.protocol.cloud import Cloud

ALWAYS_REGISTERED = frozenset(
    {"", "microsoft.resources", "microsoft.authorization", "microsoft.management", "microsoft.resourcegraph"}
)


def admit(cloud: "Cloud", request: Request, match: Match | None) -> Response:
    """Pass a call through every check and on to its handler.

    Args:
        cloud: whose state decides.
        request: the call, its principal known.
        match: what the router found, or None.

    Raises:
        ArmError: the first refusal; 501 NotEmulated where no route serves the call.
    """
    check_form(request.api_version)
    subscription = _subscription(cloud, request)
    route = _route(request, match)
    _check_provider_version(cloud, request, route)
    headers = (
        {}
        if _is_graph(request)
        else cloud.throttle.spend_arm(
            request, subscription, retry_header=cloud.profile.arm_throttled_retry_after == "present"
        )
    )
    params = match.params if match is not None else {}
    scope = authorization_scope(request.path)
    action = action_of(route, params)
    cloud.authorization.check_role(request.principal, action, scope)
    cloud.authorization.check_denials(request.principal, action, scope)
    posts = cloud.profile.readonly_lock_blocks_post == "yes" and not _is_graph(request)
    if cloud.profile.delegated_locks == "refused" or not cloud.authorization.is_foreign(request.principal, scope):
        cloud.authorization.check_locks(request.method, scope, posts_are_writes=posts)
    _check_registration(cloud, request, subscription)
    _check_group(cloud, request)
    headers.update(_spend_provider(cloud, request, route, subscription, params))
    response = route.handler(cloud, request, params)
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response


def action_of(route: Route, params: dict[str, str]) -> str:
    """The RBAC action that a call of a route needs; ``''``: none."""
    return route.action.format(**params) if "{" in route.action else route.action


def _subscription(cloud: "Cloud", request: Request) -> str:
    segments = request.path.strip("/").split("/")
    if segments[0].lower() != "subscriptions" or len(segments) < 2:
        return ""
    found = cloud.directory.subscription(segments[1])
    if found is not None and not found.is_open_to(request.principal.tenant_id):
        raise _wrong_tenant(request, found.tenant_id)
    is_visible = found is not None and cloud.authorization.can_see(request.principal, f"/subscriptions/{segments[1]}")
    if found is None or not is_visible:
        raise _no_subscription(cloud, request, segments[1], is_there=found is not None)
    if found.state.lower() in ("disabled", "warned") and request.method not in ("GET", "HEAD", "POST"):
        message = (
            f"The subscription '{found.id}' is disabled and therefore marked as read only. You cannot perform any "
            "write actions on this subscription until it is re-enabled."
        )
        raise ArmError(409, "ReadOnlyDisabledSubscription", message, gateway=True)
    return segments[1].lower()


def _wrong_tenant(request: Request, owner: str) -> ArmError:
    authority, issuer = (sign_in.authority(request.base_url, tenant) for tenant in (owner, request.principal.tenant_id))
    message = (
        f"The access token is from the wrong issuer '{issuer}/'. It must match "
        f"the tenant '{authority}/' associated with this subscription. Please use the authority (URL) '{authority}' to "
        "get the token. Note, if the subscription is transferred to another tenant there is no impact to the services, "
        "but information about new tenant could take time to propagate (up to an hour). If you just transferred your "
        "subscription and see this error message, please try back later."
    )
    return refusal("InvalidAuthenticationTokenTenant", message, authority)


def _no_subscription(cloud: "Cloud", request: Request, subscription: str, *, is_there: bool) -> ArmError:
    if is_there or cloud.profile.missing_subscription == "forbidden":
        message = (
            f"{client(request.principal)} does not have authorization to perform action "
            f"'Microsoft.Resources/subscriptions/read' over scope '/subscriptions/{subscription}' or the scope is "
            "invalid. If access was recently granted, please refresh your credentials."
        )
        return ArmError(403, "AuthorizationFailed", message, gateway=True)
    message = f"The subscription '{subscription}' could not be found."
    return ArmError(404, "SubscriptionNotFound", message, gateway=True)


def _route(request: Request, match: Match | None) -> Route:
    route = match.methods.get(request.method) if match is not None else None
    if route is None and match is not None and request.method == "HEAD":
        route = match.methods.get("GET")
    if route is None:
        message = f"The emulator does not emulate {request.method} {request.path}."
        raise ArmError(501, "NotEmulated", message)
    return route


def _check_provider_version(cloud: "Cloud", request: Request, route: Route) -> None:
    type_ = "/".join(_types(route.pattern))
    stored = cloud.state.get(authorization_scope(request.path))
    location = stored.location if stored is not None else ""
    if route.api_versions is None:
        check_age(request.api_version, namespace_of(route.pattern), location, type_)
    elif request.api_version.lower() not in route.api_versions:
        raise unknown_version(request.api_version, location, type_, tuple(sorted(route.api_versions)))


def _types(pattern: str) -> list[str]:
    """The literal parts of a pattern after its last provider: the type's, and an action's."""
    tail = pattern.rpartition("/providers/")[2].split("/")[1:]
    return [part for part in tail if not part.startswith("{")]


def authorization_scope(path: str) -> str:
    """The scope that an action on a path is checked at: the resource, or what a list or an action stands under."""
    trimmed = path.rstrip("/")
    at = trimmed.lower().rfind("/providers/")
    tail = trimmed[at + len("/providers/") :] if at >= 0 else ""
    # namespace/type/name has an even number of slashes; one more segment is a list or an action.
    if tail.count("/") % 2 == 1:
        return trimmed.rsplit("/", 1)[0]
    segments = trimmed.strip("/").split("/")
    if at < 0 and len(segments) == 3 and segments[0].lower() == "subscriptions":
        return "/" + "/".join(segments[:2])
    return trimmed


def _check_registration(cloud: "Cloud", request: Request, subscription: str) -> None:
    namespace = namespace_of(request.path)
    if request.path.lower().rstrip("/").endswith((f"{namespace.lower()}/register", f"{namespace.lower()}/unregister")):
        return
    found = cloud.directory.subscription(subscription) if subscription else None
    if found is None or namespace.lower() in ALWAYS_REGISTERED or namespace.lower() not in found.unregistered:
        return
    if request.method in ("GET", "HEAD") and cloud.profile.unregistered_reads == "allowed":
        return
    message = (
        f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how "
        "to register subscriptions."
    )
    detail = {"code": "MissingSubscriptionRegistration", "target": namespace, "message": message}
    raise ArmError(409, "MissingSubscriptionRegistration", message, details=(detail,), gateway=True)


def _check_group(cloud: "Cloud", request: Request) -> None:
    segments = request.path.strip("/").split("/")
    if len(segments) < 5 or segments[0].lower() != "subscriptions" or segments[2].lower() != "resourcegroups":
        return
    if cloud.state.get("/" + "/".join(segments[:4])) is None:
        message = f"Resource group '{segments[3]}' could not be found."
        raise ArmError(404, "ResourceGroupNotFound", message, gateway=True)


def _spend_provider(
    cloud: "Cloud", request: Request, route: Route, subscription: str, params: dict[str, str]
) -> dict[str, str]:
    if not route.throttle:
        return {}
    resource = authorization_scope(request.path)
    region = params.get("location", "").lower()
    operation = cloud.operations.get(params["operation"]) if "operation" in params else None
    if operation is not None:
        resource = operation.target_id
    elif not region:
        region = _region(cloud, request, resource)
    retry_header = cloud.profile.throttled_retry_after == "present"
    return cloud.throttle.spend_provider(
        namespace_of(route.pattern),
        route.throttle,
        subscription=subscription,
        region=region,
        resource=parse_id(resource).key,
        retry_header=retry_header,
    )


def _region(cloud: "Cloud", request: Request, resource: str) -> str:
    stored = cloud.state.get(resource)
    if stored is not None:
        return stored.location
    body = request.body
    location = body.get("location") if isinstance(body, dict) else None
    return location.replace(" ", "").lower() if isinstance(location, str) else ""


def _is_graph(request: Request) -> bool:
    return request.path.lower().startswith("/providers/microsoft.resourcegraph/")
