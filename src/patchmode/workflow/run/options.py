"""How a plan is carried out: the options, from what a run is held back by as its journal keeps it, and back.

Must not: decide what is in force; `resuming` does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from patchmode.errors import RefusedError
from patchmode.model.guardrails import Freeze, KeptFreeze, RunGuardrails
from patchmode.model.plan import Plan
from patchmode.ports.azure import Clock
from patchmode.rules.guardrails.freezes import ends_at, freeze_text, freezes_from, frozen_by
from patchmode.rules.guardrails.limits import pace_text
from patchmode.rules.guardrails.waves import CANARY
from patchmode.timing import local_zone
from patchmode.workflow.run.guardrails import Budgets, FailureCount, MaxFailures
from patchmode.workflow.run.waves import WaveRules

OPERATION_TIMEOUT_S = 1800.0
THROTTLE_PATIENCE_S = 900.0
_PLACES, _LEAST_AT_ONCE, _MOST_AT_ONCE = 16, 64, 512


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How a plan is carried out; what is carried out stands in the plan."""

    concurrency: int | None = None
    """Machines under way at once, >= 1, each from its request until its end is known; a failure budget may then be
    overrun by as many. None: any number, or with a failure budget or canaries as many as `rules.concurrency` says, so
    that no budget is overrun. The rate is bounded by the wire's throttle."""
    max_failures: MaxFailures | None = None
    """Of the run, all its sessions together."""
    max_failures_per_wave: MaxFailures | None = None
    """Once it is spent nothing more is sent, in this wave or a later one."""
    max_failures_per_region: MaxFailures | None = None
    """Once it is spent nothing more is sent to the region; the others go on."""
    operation_timeout_s: float = OPERATION_TIMEOUT_S
    """After so long an operation that has not ended is reported as unknown."""
    throttle_patience_s: float = THROTTLE_PATIENCE_S
    """So long a request waits where Azure's limits hold it back. It is the connection's, which is opened with it; what
    is held back for longer ends as not sent."""
    waves: WaveRules = field(default_factory=WaveRules)
    """Of no account where the plan has no waves."""
    freezes: tuple[Freeze, ...] = ()
    """When nothing may be sent. What is under way when one begins is followed to its end."""
    strict: bool = False
    """Refuse each machine of which anything changed since the plan, not only what the plan depends on."""

    @property
    def budgets(self) -> Budgets:
        """The failure budgets together."""
        return Budgets(self.max_failures, self.max_failures_per_wave, self.max_failures_per_region)

    def begins_slowly(self, plan: Plan) -> bool:
        """Whether a plan is begun with one machine, and then more as they succeed."""
        return self.budgets.any or any(wave.name == CANARY for wave in plan.waves[:1])

    def at_once(self, plan: Plan) -> int:
        """Requests in flight at once: no more than `concurrency`, or else 16 a subscription, 64 to 512 in all.

        A subscription's writes are refilled at ten a second; sixteen places keep up with that while answers take no
        longer than a second and a half. Each request in flight holds a TLS connection, and each of those up to 0.4 MB.
        """
        if self.concurrency is not None:
            return self.concurrency
        subscriptions = {change.id.subscription_id for change in plan.changes}
        return min(_MOST_AT_ONCE, max(_LEAST_AT_ONCE, _PLACES * len(subscriptions)))


def options_of(brakes: RunGuardrails) -> ApplyOptions:
    """How a run with these brakes is carried out.

    Args:
        brakes: in force now.

    Raises:
        UsageError: a budget cannot be understood.
        RefusedError: this computer does not know the time zone of a freeze.
    """
    return ApplyOptions(
        concurrency=brakes.concurrency,
        max_failures=_budget(brakes.max_failures),
        max_failures_per_wave=_budget(brakes.max_failures_per_wave),
        max_failures_per_region=_budget(brakes.max_failures_per_region),
        operation_timeout_s=OPERATION_TIMEOUT_S if brakes.operation_timeout is None else brakes.operation_timeout,
        throttle_patience_s=THROTTLE_PATIENCE_S if brakes.throttle_patience is None else brakes.throttle_patience,
        waves=WaveRules(brakes.wave_pause or 0.0, brakes.last_wave, brakes.accepted_failures),
        strict=brakes.strict,
        freezes=tuple(freeze for kept in brakes.freeze for freeze in _freezes(kept)),
    )


def pace_of(plan: Plan, options: ApplyOptions) -> str:
    """One sentence on how fast a plan would be begun and how much may fail; empty: nothing is special.

    Args:
        plan: of which nothing was sent yet.
        options: it would be carried out with.
    """
    regions = [change.location.casefold() for change in plan.changes]
    left = FailureCount(options.budgets, machines=plan.touched, regions=regions).narrowest()
    slowly = options.begins_slowly(plan)
    return pace_text(options.concurrency, begins_slowly=slowly, left=left, machines=plan.touched)


def brakes_of(options: ApplyOptions, before: RunGuardrails | None) -> RunGuardrails:
    """What a journal keeps of options.

    Args:
        options: in force now.
        before: what it kept so far, for what `options` does not hold (share, limit on changes, where each comes from);
            None: nothing.

    Raises:
        RefusedError: as `kept_freezes`.
    """
    if before is not None and options_of(before) == options:
        # As it was said: a standard value that was asked for by name stays named.
        return before
    patience, throttled = options.operation_timeout_s, options.throttle_patience_s
    return replace(
        before or RunGuardrails(),
        max_failures=_text(options.max_failures),
        max_failures_per_wave=_text(options.max_failures_per_wave),
        max_failures_per_region=_text(options.max_failures_per_region),
        concurrency=options.concurrency,
        operation_timeout=None if patience == OPERATION_TIMEOUT_S else patience,
        throttle_patience=None if throttled == THROTTLE_PATIENCE_S else throttled,
        wave_pause=options.waves.pause_s or None,
        last_wave=options.waves.last,
        strict=options.strict,
        freeze=kept_freezes(options.freezes),
        accepted_failures=options.waves.accepted_failures,
    )


def kept_freezes(freezes: tuple[Freeze, ...]) -> tuple[KeptFreeze, ...]:
    """Freezes as a journal keeps them.

    Raises:
        RefusedError: one was read in a time zone that has no name, so that it could not be read again elsewhere.
    """
    for freeze in freezes:
        if freeze.zone_name != freeze.zone.key:
            raise RefusedError(
                f"The freeze {freeze.text} names no time zone, and this computer's has no name, so the run could not "
                "keep it.",
                advice=f"Name the zone, for example --freeze '{freeze.text} Europe/Berlin'.",
            )
    return tuple(KeptFreeze(one.text, one.zone_name) for one in freezes)


def freezes_kept(texts: Iterable[str]) -> tuple[KeptFreeze, ...]:
    """The freezes that somebody typed, as a journal keeps them; one that names no zone is read in this computer's.

    Raises:
        UsageError: one of them names no freeze. RefusedError: as `kept_freezes`.
    """
    return kept_freezes(freezes_from(texts, local_zone()))


def freeze_now(freezes: Sequence[Freeze], clock: Clock) -> str:
    """The freeze that holds now, and until when, in words; empty: none does."""
    now = clock.now()
    freeze = frozen_by(freezes, now)
    return "" if freeze is None else freeze_text(freeze, ends_at(freezes, now))


def _budget(text: str | None) -> MaxFailures | None:
    return None if text is None else MaxFailures.parse(text)


def _text(budget: MaxFailures | None) -> str | None:
    return None if budget is None else str(budget)


def _freezes(kept: KeptFreeze) -> tuple[Freeze, ...]:
    try:
        zone = ZoneInfo(kept.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RefusedError(
            f"The run keeps the freeze {kept}, and this computer does not know the time zone {kept.zone}.",
            advice="Install the time zone data (the package tzdata), or give --freeze with a zone that is known here.",
        ) from error
    return freezes_from((kept.text,), zone)
