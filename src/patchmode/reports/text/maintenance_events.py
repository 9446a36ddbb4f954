"""Pre and post events for people."""

from collections.abc import Iterator

from patchmode.model.maintenance_events import EventKind, ScheduleEvents
from patchmode.reports.text.layout import Paint, plural, wrapped


def event_lines(events: ScheduleEvents, *, paint: Paint) -> Iterator[str]:
    """Who is told before and after its runs; a webhook by its host alone, since its address may be a secret."""
    pre, post = (len(events.of(kind)) for kind in (EventKind.PRE, EventKind.POST))
    told = f"{plural(pre, 'pre-event')}, {plural(post, 'post-event')}" if events.found else "none"
    if events.refusal:
        told = f"{told} that could be read" if events.found else "not known"
    yield from wrapped(f"Pre and post events: {told}.", paint=paint, hang=4)
    for one in events.found:
        kinds = " and ".join(kind.value for kind in one.kinds)
        receiver = ", ".join(filter(None, (one.destination, one.receiver))) or "its receiver is not known"
        text = f"{kinds}: {one.name} ({receiver})"
        yield from wrapped(text, paint=paint, indent=2, hang=4)
    if events.refusal:
        yield from wrapped(
            f"{'There may be others' if events.found else 'They could not be read'}: {events.refusal}.",
            paint=paint,
            indent=2,
            hang=4,
        )
