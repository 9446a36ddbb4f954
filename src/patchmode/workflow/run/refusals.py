"""What went wrong with one machine, in words for the person who must act on it.

A wire error already says what was asked and what Azure answered; here it gets the advice that fits a change of patch
settings, and the honest word on whether the change may have been applied.

Must not: decide what happens next to the machine.

Source of the codes: the service's error answers as recorded and as quoted in public issue threads.
"""

from collections.abc import Sequence
from shlex import quote

from patchmode.errors import MaybeAppliedError, NotSentError, RequestError, SignInError, ThrottledError
from patchmode.model.left_alone import MachineError
from patchmode.model.plan import Change
from patchmode.model.run import HANDED_OVER, Difference
from patchmode.rules.settings.precondition import SincePlan

_NEW_PLAN = "Make a new plan and look at what it says of this machine."
_NOT_STRICT = (
    "The plan depends on none of these, and --strict refuses any change: make a new plan, or apply without --strict."
)
_ADVICE_BY_TEXT = (
    ("hotpatch", "Plan again with `--hotpatch off`, or leave this machine to Azure's own safe deployment."),
    (
        "image is not supported",
        "Azure cannot orchestrate this image: recreate the machine from a supported image, or skip it.",
    ),
    ("enableautomaticupdates", "enableAutomaticUpdates is fixed at creation: only another patch mode can be set here."),
    ("osprofile", "The machine was created from a specialised disk, and Azure refused the patch settings alone there."),
    (
        "automaticbyplatformsettings",
        "Azure holds a block of settings that does not fit the new patch mode: " + _NEW_PLAN,
    ),
)
_ADVICE_BY_CODE = {
    "scopelocked": "Remove the ReadOnly lock that the message names, then make a new plan.",
    "denyassignmentauthorizationfailed": (
        "A deny assignment protects this machine (often a managed application or AKS): change it through its owner."
    ),
    "requestdisallowedbypolicy": "Ask the owner of the policy that the message names for an exemption.",
    "authorizationfailed": (
        "Grant Microsoft.Compute/virtualMachines/write on this machine (`patchmode doctor` shows what is missing)."
    ),
    "linkedauthorizationfailed": "Grant the linked action that the message names, then make a new plan.",
    "missingsubscriptionregistration": "Register the resource provider that the message names in this subscription.",
    "readonlydisabledsubscription": (
        "The subscription is disabled and can only be read: have it enabled again, then make a new plan."
    ),
    "resourcenotfound": "The machine was deleted or moved since the plan was made: make a new plan.",
    "resourcegroupnotfound": "The resource group was deleted or renamed since the plan was made: make a new plan.",
    "notfound": "The machine was deleted or moved since the plan was made: make a new plan.",
    "conflict": "Another operation holds the machine: wait until it has ended, then make a new plan.",
    "conflictingconcurrentwritenotallowed": "Another operation holds the machine: wait until it ends, then plan again.",
    "operationpreempted": "A newer operation replaced this one: see the machine's activity log, then plan again.",
    "operationnotallowed": "Azure does not allow this in the machine's present state; the message says which.",
    "vmextensionprovisioningerror": (
        "The settings may be applied, and an extension failed: repair or remove it, then `patchmode verify`."
    ),
    "vmextensionprovisioningtimeout": (
        "The settings may be applied, and an extension did not answer: look at the VM agent, then `patchmode verify`."
    ),
    "vmagentstatuscommunicationerror": "The settings may be applied, and the VM agent is silent: repair the agent.",
}
_NOT_ACCEPTED = (
    "Azure does not accept this in the machine's current state. The message says why; "
    "`patchmode explain` shows the machine."
)
_HELD = (
    "Nothing is wrong with the machine: resume the run later with `patchmode runs resume`, or with a longer "
    "--throttle-patience."
)
_UNSENT = "Nothing was sent for this machine: continue with `patchmode runs resume`."
_CONCURRENT = frozenset({"conflict", "conflictingconcurrentwritenotallowed", "retryableerror"})
_GONE = frozenset({"resourcenotfound", "resourcegroupnotfound", "notfound", "parentresourcenotfound"})
ALREADY_SET = "AlreadySet"
"""The code of a machine that is as planned by somebody else's doing."""
SIGN_IN = "Sign in again (az login), then resume the run with `patchmode runs resume`."
VERIFY = "Run `patchmode verify` to see what the machine shows."


def advice_for(code: str, message: str, *, otherwise: str = "") -> str:
    """What to do about an error of Azure's, by its words first and its code second.

    Args:
        code: in any casing.
        message: Azure's text.
        otherwise: the answer where neither is known; empty: to look at the activity log.
    """
    lowered = message.casefold()
    by_text = next((advice for words, advice in _ADVICE_BY_TEXT if words in lowered), None)
    known = by_text or _ADVICE_BY_CODE.get(code.casefold())
    return known or otherwise or "Look at the machine's activity log for this request."


def machine_error(error: RequestError, *, may_have_been_applied: bool) -> MachineError:
    """A wire error as a machine's error.

    Args:
        error: its message already names the request, the machine and Azure's answer.
        may_have_been_applied: also true where an earlier attempt's answer was lost.
    """
    if is_held(error) and not may_have_been_applied:
        advice = _HELD
    else:
        otherwise = _NOT_ACCEPTED if error.status == 400 else error.advice
        if isinstance(error, MaybeAppliedError):
            otherwise = f"{otherwise} {VERIFY}".strip()
        elif isinstance(error, NotSentError) and not may_have_been_applied:
            # Azure knows nothing of a request that it never got: no log of its own can tell of it.
            otherwise = f"{error.advice} {_UNSENT}".strip()
        advice = advice_for(error.code, error.message, otherwise=otherwise)
    return MachineError(error.code, error.message, may_have_been_applied, advice, error.status)


def stale_error(change: Change, found: SincePlan, *, may_have_been_applied: bool) -> MachineError:
    """The machine changed since the plan; the fields are named, the first few with their values.

    Args:
        change: as planned.
        found: where nothing of it is depended on, the run is a strict one.
        may_have_been_applied: whether a PATCH of this run may have reached it.
    """
    advice = _NEW_PLAN if found.depended_on else _NOT_STRICT
    message = f"{change.id.name} changed since the plan was made, so nothing more was sent: {_named(found.all)}."
    return MachineError("MachineChanged", message, may_have_been_applied, advice)


def handed_over_error(change: Change, wrong: Sequence[Difference], *, run: str, after: str = "") -> MachineError:
    """The change left the machine where Azure patches it at a time of its own choice: consequence and way back first.

    Args:
        change: whose body held both settings.
        wrong: the settings that are not as planned, at least one.
        run: the run's id.
        after: what else went wrong; empty: Azure accepted the change.

    Source: "User scenarios" in Microsoft's prerequisites for scheduled patching: AutomaticByPlatform without bypass is
    patched by Azure where no schedule is attached, and by nothing where one is.
    """
    name = change.id.name
    shown = "; ".join(f"{one.path.rpartition('.')[2]} should be {one.expected}, is {one.found}" for one in wrong[:3])
    taken = "Something removed a setting from the change, as a policy with the modify effect does"
    message = (
        f"Azure now patches and restarts {name} at a time it chooses, unless a schedule is attached, whose runs fail: "
        f"{shown}. "
        f"{after or f'{taken}: Azure accepted it and answered no error.'}"
    )
    advice = (
        f"Restore it now with `patchmode rollback {run} --ids {quote(str(change.id))}`. Then have the machine exempted "
        "from the policy (its activity log names it), and make a new plan."
    )
    return MachineError(HANDED_OVER, message, may_have_been_applied=True, advice=advice)


def already_set_error(change: Change, found: Sequence[Difference]) -> MachineError:
    """The machine was changed to what was planned, and no write of this run can have done it."""
    message = (
        f"Somebody else set {change.id.name} to what was planned, after the plan was made; this run sent nothing that "
        f"changed it: {_named(found)}."
    )
    advice = "Make a new plan: as far as this machine is concerned it will be unchanged."
    return MachineError(ALREADY_SET, message, may_have_been_applied=False, advice=advice)


def _named(found: Sequence[Difference]) -> str:
    named = "; ".join(f"{one.path} was {one.expected}, is {one.found}" for one in found[:3])
    return f"{named}; and {len(found) - 3} more" if len(found) > 3 else named


def restless_error(change: Change, tries: int, *, may_have_been_applied: bool) -> MachineError:
    """The machine's etag changed each time before our write arrived, though nothing that the plan depends on did."""
    message = (
        f"{change.id.name} was written by something else between each of {tries} reads and our PATCH "
        "(412 PreconditionFailed), so these requests changed nothing."
    )
    advice = "Wait until the extension or agent work on it has ended, then make a new plan."
    return MachineError("MachineKeepsChanging", message, may_have_been_applied, advice, 412)


def is_signed_out(error: RequestError) -> bool:
    """Whether the service no longer knows who asks; the connection has then renewed its sign-in once in vain."""
    return error.status == 401


def signed_out(error: RequestError) -> SignInError:
    """What ends the whole run on a 401: no other machine would fare better."""
    return SignInError(error.message, advice=SIGN_IN)


def is_concurrent(error: RequestError) -> bool:
    """Whether the service refused because another write was under way, which may be tried again after a read."""
    return error.status == 409 and error.code.casefold() in _CONCURRENT


def is_held(error: RequestError) -> bool:
    """Whether Azure's limits held the request back for longer than the throttle patience."""
    return isinstance(error, ThrottledError)


def is_gone(error: RequestError) -> bool:
    """Whether the service says that the machine does not exist."""
    return error.status == 404 or error.code.casefold() in _GONE
