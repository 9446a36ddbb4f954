"""A rule: one value that holds its id, its severities and every word of it, beside the check that gives it.

`registry` puts the rules in order, findings take their remedies from here, and docs/reference/rules.md is made of it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import WantedSettings

Check = Callable[[Machine, WantedSettings], Iterable[Reason]]
"""Yields the reasons that a machine gives. Pure; yields nothing where there is nothing to say."""

BLOCKS, WARNS, NOTES = (Severity.BLOCKS,), (Severity.WARNS,), (Severity.NOTES,)
REFUSES = (*BLOCKS, *WARNS)
"""Refused by `schedule create` or `schedule attach`; told as a warning of what stands already."""

SECTIONS = ("What", "Severity", "Why", "Evidence", "Fix", "Source")
"""The paragraphs of a rule's section in the reference, in their order."""
_ID = re.compile(r"[a-z]+(-[a-z]+)*")
_LABEL = re.compile(rf"^[ ]*({'|'.join(SECTIONS)}):[ ]", re.MULTILINE)
_LINK = re.compile(r"\[([^][]+)\]\([^()]+\)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    id: str
    """Stable: it is part of `audit` and `plan` JSON, of plans and of scripts."""
    title: str
    """One line for tables, without a full stop."""
    severities: tuple[Severity, ...]
    """All that it can give."""
    reference: str
    """Its section of the reference: a paragraph in Markdown for each of `SECTIONS`, after its label and a colon."""
    check: Check | None = None
    """What every machine is put to. It may give neighbours of the rule as well, which then have none of their own, as
    rules have none that speak of schedules or of a rollback."""
    machine_fix: str = ""
    """How a finding about one machine words the remedy, where not as the reference does."""
    schedule_fix: str = ""
    """The same for a finding about a schedule, in `schedule check` and `schedule show`."""

    def blocks(self, message: str, evidence: str, fix: str | None = None) -> Reason:
        """A verdict that stands against the change; `fix`: where this one has a remedy of its own."""
        return Reason(self.id, Severity.BLOCKS, message, evidence, self.machine_advice if fix is None else fix)

    def warns(self, message: str, evidence: str, fix: str | None = None) -> Reason:
        """A verdict that the change may not work as hoped; `fix` as for `blocks`."""
        return Reason(self.id, Severity.WARNS, message, evidence, self.machine_advice if fix is None else fix)

    def notes(self, message: str, evidence: str, fix: str | None = None) -> Reason:
        """A verdict that is worth knowing; `fix` as for `blocks`."""
        return Reason(self.id, Severity.NOTES, message, evidence, self.machine_advice if fix is None else fix)

    @property
    def machine_advice(self) -> str:
        """The remedy, as findings about one machine tell it."""
        return self.machine_fix or self.fix

    @property
    def schedule_advice(self) -> str:
        """The remedy, as findings about a schedule tell it."""
        return self.schedule_fix or self.fix

    @property
    def fix(self) -> str:
        """The remedy of the reference, as reports tell it."""
        return self.plain("Fix")

    def section(self, label: str) -> str:
        """A paragraph of the reference, in Markdown and on one line; empty where the rule leaves it out."""
        return _sections(self.reference).get(label, "")

    def plain(self, label: str) -> str:
        """A paragraph without its marks: emphasis, code, and the targets of links."""
        return _plain(self.section(label))

    def omissions(self) -> Iterator[str]:
        """What the rule leaves out, a sentence each; nothing where it is whole."""
        if not _ID.fullmatch(self.id):
            yield f"The id {self.id!r} of a rule is not of the form words-with-hyphens, all in lower case."
        if not self.title:
            yield f"The rule {self.id!r} has no title."
        if not self.severities:
            yield f"The rule {self.id!r} names no severity: which of blocks, warns and notes can it give?"
        for label in SECTIONS:
            if not self.section(label):
                yield f"The rule {self.id!r} has no paragraph '{label}:' for its section of the reference."


def by_id(*rules: Rule) -> Mapping[str, Rule]:
    """Rules by their ids, in their order."""
    return {rule.id: rule for rule in rules}


@cache
def _sections(reference: str) -> Mapping[str, str]:
    _, *pieces = _LABEL.split(reference)
    return {label: " ".join(text.split()) for label, text in zip(pieces[::2], pieces[1::2], strict=True)}


@cache
def _plain(markdown: str) -> str:
    return _LINK.sub(r"\1", markdown).replace("**", "").replace("`", "")
