"""Pages from templates. Every value is escaped: names and tags come from Azure, where anybody may have written them.

Must not: mark anything as safe HTML; nothing in this package does.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from patchmode.console import words
from patchmode.model import schedule
from patchmode.model.plain_text import printable, with_marks
from patchmode.reports.text.doctor import identities
from patchmode.reports.text.layout import delegated_text, plural
from patchmode.reports.text.left_alone import held_text
from patchmode.reports.text.plan import names_in
from patchmode.reports.text.run import undone_text
from patchmode.version import __version__


def make_environment() -> Environment:
    """The templates with their filters; a name that is missing is an error, not an empty text."""
    made = Environment(
        loader=PackageLoader("patchmode.console"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
        finalize=with_marks,
    )
    made.filters |= {
        "number": lambda value: f"{value:,}",
        "utc": utc_text,
        "iso": lambda moment: moment.astimezone(UTC).isoformat(timespec="seconds"),
        "local": local_text,
        "minute": minute_text,
        "offset": schedule.offset_text,
        "ago": ago_text,
        "plural": plural,
        "printable": printable,
        "web": lambda text: words.on_the_page(printable(text)),
        "identities": identities,
        "delegated": delegated_text,
        "place": lambda plan: names_in(plan).place,
        "spread": lambda plan: names_in(plan).spread(plan.touched_in),
        "share": share,
        "sentence": sentence,
    }
    made.globals |= {
        "words": words,
        "held_text": held_text,
        "undone_text": undone_text,
        "version": __version__,
        "min": min,
        "max": max,
    }
    return made


def render(environment: Environment, template: str, values: Mapping[str, Any]) -> str:
    """A template with its values, as HTML."""
    return environment.get_template(template).render(values)


def utc_text(moment: datetime) -> str:
    """`2026-11-28 03:12:05Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def local_text(moment: datetime | str | None) -> str:
    """`Sat 2026-11-28 22:00 +01:00`, in the moment's own zone; empty where there is none."""
    if moment is None:
        return ""
    shown = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{shown:%a} {schedule.local_text(shown)}"


def minute_text(moment: datetime) -> str:
    """The same instant beside it: `2026-11-28 21:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ago_text(span: timedelta) -> str:
    """How long ago, in the largest unit that tells enough: `12 s`, `4 min`, `3 h`, `2 d`."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (size == 60 and seconds >= size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def sentence(text: str) -> str:
    """A text as a sentence: reasons are half sentences, ready to follow a comma."""
    told = printable(text)
    return told[:1].upper() + told[1:] + ("" if told.endswith((".", "!", "?")) else ".")


def share(part: int, whole: int, of: int = 100) -> float:
    """A part as so many of `of`; something that is there is never drawn as nothing."""
    if not whole or not part:
        return 0
    return max(round(of * part / whole, 2), 1)
