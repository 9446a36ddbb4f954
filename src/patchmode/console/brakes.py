"""What holds a change back, as the console's forms have it: pre-set, read, and told with what it does to one plan.

Must not: decide what a brake does; `rules` and `workflow` do.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from patchmode.errors import UsageError
from patchmode.model.guardrails import MOST_AT_ONCE, MOST_CANARIES, RunGuardrails, typed_values
from patchmode.model.plan import Plan, WaveKey, WaveRule, WaveRuleError, wave_rules
from patchmode.ports.azure import Clock
from patchmode.reports.text.layout import plural
from patchmode.reports.text.plan import WaveRow, wave_rows
from patchmode.rules.guardrails.limits import LARGE_CHANGE, precautions_for, seconds_from, share_from
from patchmode.workflow.run.guardrails import MaxFailures
from patchmode.workflow.run.options import ApplyOptions, freeze_now, freezes_kept, options_of, pace_of

DIVISIONS = 2
"""So many ways to divide machines the form takes; the command line takes any number."""


class Form(Protocol):
    """What a browser sent: several values may have one name."""

    def getall(self, key: str, default: Any) -> Sequence[Any]:
        """All values of a field."""
        ...


Fields = Mapping[str, Sequence[str]]
"""Field of the form → its values, as somebody typed them or would have."""
_LIMITS = {
    "max_failures": "max-failures",
    "wave_failures": "max-failures-per-wave",
    "region_failures": "max-failures-per-region",
    "concurrency": "concurrency",
    "wave_pause": "wave-pause",
    "freeze": "freeze",
    "share": "share",
}
"""Field → the option of the command line that it is."""
FIELDS = ("canary", "wave_by", "wave_tag", "wave_order", *_LIMITS)


@dataclass(frozen=True, slots=True)
class ChosenBrakes:
    """What one change is held back by."""

    canary: int = 0
    """So many machines before all others; 0: none. It is the plan's, as the waves are."""
    waves: tuple[WaveRule, ...] = ()
    """Each divides what those before it made; empty: all but the canaries at once."""
    limits: RunGuardrails = field(default_factory=RunGuardrails)
    """Those of the form; what the console was started with comes in addition, see `in_force`."""

    @property
    def fields(self) -> Fields:
        """As the form has it."""
        rules = [*self.waves, *[None] * DIVISIONS][: max(DIVISIONS, len(self.waves))]
        typed = typed_values(self.limits)
        return {
            "canary": [str(self.canary or "")],
            "wave_by": ["" if one is None else str(one.key) for one in rules],
            "wave_tag": ["" if one is None else one.tag for one in rules],
            "wave_order": ["" if one is None else " | ".join(one.order) for one in rules],
            **{name: [typed.get(f"--{option}", "")] for name, option in _LIMITS.items()},
        }

    def in_force(self, around: RunGuardrails) -> RunGuardrails:
        """What a run is held back by.

        Args:
            around: what the console was started with: its freezes hold too, and its share where none was chosen.
        """
        return replace(
            self.limits,
            freeze=(*around.freeze, *self.limits.freeze),
            share=self.limits.share or around.share,
            sources=around.sources,
        )


def preset(machines: int, *, has_waves: bool = True) -> ChosenBrakes:
    """What a form begins with.

    Args:
        machines: that were chosen, or that the plan touches.
        has_waves: whether the plan can be divided; a rollback is not.
    """
    first = precautions_for(machines)
    limits = RunGuardrails(max_failures=first.max_failures or None)
    return ChosenBrakes(first.canary if has_waves else 0, (), limits)


def chosen_brakes(form: Form, before: ChosenBrakes, around: RunGuardrails) -> ChosenBrakes:
    """What a form says; of what it has no field, what held before.

    Args:
        form: as it was sent.
        before: what it was shown with.
        around: what the console was started with; its share may be narrowed, not widened.

    Raises:
        UsageError: something cannot be understood. RefusedError: a freeze names no zone that could be kept.
    """

    def typed(name: str) -> str | None:
        values = form.getall(name, ())
        return str(values[0]).strip() if values else None

    canary = typed("canary")
    read: Mapping[str, tuple[str, Callable[[str], Any]]] = {
        "max_failures": ("max_failures", _budget),
        "wave_failures": ("max_failures_per_wave", _budget),
        "region_failures": ("max_failures_per_region", _budget),
        "concurrency": ("concurrency", lambda text: _number(text, "a number of machines at a time", MOST_AT_ONCE)),
        "wave_pause": ("wave_pause", lambda text: seconds_from(text, "--wave-pause") if text else None),
        "freeze": ("freeze", lambda text: freezes_kept((text,))),
        "share": ("share", lambda text: _share(text, around.share)),
    }
    limits = {member: reads(text) for name, (member, reads) in read.items() if (text := typed(name)) is not None}
    found = ChosenBrakes(
        before.canary if canary is None else _number(canary, "a number of canaries", MOST_CANARIES) or 0,
        _waves(form) if form.getall("wave_by", ()) else before.waves,
        replace(before.limits, **limits),
    )
    options_of(found.in_force(around))
    return found


def _share(text: str, around: str | None) -> str | None:
    if text and share_from(text) > share_from(around):
        raise UsageError(f"This console was started with a share of {around}.", advice="Give that or less.")
    return text or None


def typed_fields(form: Form) -> Fields:
    """What was typed, to be shown again beside what is wrong with it; a field that was not sent is empty."""
    return {name: [*map(str, form.getall(name, ())), "", ""] for name in FIELDS}


def _number(text: str, what: str, most: int) -> int | None:
    """A number of machines; None: the field is empty, or holds 0."""
    plain = text.replace(",", "")
    if plain and not (plain.isascii() and plain.isdigit() and int(plain) <= most):
        raise UsageError(f"{text!r} is not {what}.", advice=f"Give 1 to {most:,}, or leave the field empty for none.")
    return int(plain or 0) or None


def _budget(text: str) -> str | None:
    return str(MaxFailures.parse(text)) if text else None


def _waves(form: Form) -> tuple[WaveRule, ...]:
    parts = zip(*(form.getall(name, ()) for name in ("wave_by", "wave_tag", "wave_order")), strict=False)
    texts = [_rule_text(*(str(one).strip() for one in values)) for values in parts if values[0]]
    try:
        return wave_rules(texts)
    except WaveRuleError as error:
        raise UsageError(f"Waves: {error}.", advice="Divide by a zone, a region or a tag with its name.") from error


def _rule_text(key: str, tag: str, order: str) -> str:
    """A way to divide machines as the command line writes it."""
    if key == WaveKey.TAG and not tag:
        raise UsageError("Waves by tag need the tag's name.", advice="Name the tag, for example ring.")
    name = f"{key}:{tag}" if key == WaveKey.TAG else key
    return f"{name}={order}" if order else name


class Told(NamedTuple):
    """One brake and what it does."""

    name: str
    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class BrakesView:
    """What holds one plan back, laid out."""

    waves: Sequence[WaveRow]
    """The first of them; empty: it has none."""
    more_waves: int
    begins: str
    """When a wave begins, in words; empty: there are none."""
    effects: Sequence[Told]
    is_bare: bool
    """A large change without canaries, waves and failure budget."""
    chosen: ChosenBrakes


def view_of_brakes(plan: Plan, chosen: ChosenBrakes, around: RunGuardrails, clock: Clock) -> BrakesView:
    """Lay out what holds a plan back.

    Args:
        plan: any plan.
        chosen: for its change; the canaries and waves are those of the plan.
        around: what the console was started with.
        clock: tells whether a freeze holds now.
    """
    waves, options = wave_rows(plan), options_of(chosen.in_force(around))
    is_bare = plan.touched >= LARGE_CHANGE and not waves and not options.budgets.any
    told = [*_budgets_told(plan, options), *_others_told(plan, options, chosen.in_force(around), clock)]
    return BrakesView(waves, len(plan.waves) - len(waves), _begins(plan, options), told, is_bare, chosen)


def _begins(plan: Plan, options: ApplyOptions) -> str:
    if not plan.waves:
        return ""
    failed = "nothing of it failed" if options.max_failures_per_wave is None else "its failure budget was not spent"
    pause = options.waves.pause_s
    when = f"{_minutes(pause)} after" if pause else "when"
    return f"A wave begins {when} the one before has ended, if all of it was sent and {failed}."


def _minutes(seconds: float) -> str:
    return plural(int(seconds // 60), "minute")


def _budgets_told(plan: Plan, options: ApplyOptions) -> Iterator[Told]:
    budget, machines = options.max_failures, plan.touched
    if budget is not None:
        yield Told("Failure budget", f"{budget}: {_spent(budget, machines)} nothing more is sent.")
    elif not options.budgets.any:
        tone = "warn" if machines >= LARGE_CHANGE else "plain"
        yield Told("Failure budget", "None: the run continues however many machines fail.", tone)
    budget = options.max_failures_per_wave
    if budget is not None and plan.waves:
        sizes = [one.changes + one.unchanged for one in plan.waves]
        least, most = budget.allowed(min(sizes)), budget.allowed(max(sizes))
        each = plural(most, "failure") if least == most else f"{least:,} to {most:,} failures"
        yield Told("Of a wave", f"{budget}: after {each} in one wave nothing more is sent.")
    elif budget is not None:
        yield Told("Of a wave", f"{budget}: {_spent(budget, machines)} nothing more is sent; the plan has no waves.")
    budget = options.max_failures_per_region
    if budget is not None:
        regions = Counter(change.location.casefold() for change in plan.changes).most_common()
        each = "; ".join(f"{name}: {_spent(budget, count)}" for name, count in regions[:_REGIONS])
        more = f"; and {plural(len(regions) - _REGIONS, 'more region')}" if len(regions) > _REGIONS else ""
        yield Told("Of a region", f"{budget}. Nothing more is sent to {each}{more}.")


_REGIONS = 5


def _spent(budget: MaxFailures, machines: int) -> str:
    return f"after {plural(budget.allowed(machines), 'failure')} of {plural(machines, 'machine')}"


def _others_told(plan: Plan, options: ApplyOptions, limits: RunGuardrails, clock: Clock) -> Iterator[Told]:
    yield Told("At a time", pace_of(plan, options) or "As many machines as Azure's rate limits allow.")
    if limits.share is not None:
        yield Told("Rate limits", f"At most {limits.share} of each of Azure's rate limits; the rest is left to others.")
    now = freeze_now(options.freezes, clock)
    if now:
        yield Told("Frozen now", f"{now}. The run cannot begin until then.", "bad")
    for one in options.freezes:
        yield Told("Freeze", f"{one}: nothing is sent then, what is under way is followed to its end, and you resume.")
