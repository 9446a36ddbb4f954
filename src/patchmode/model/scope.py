"""What the user asked for: selectors, filters, a shard of it, a point in the past, and what pasted text names."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from patchmode.model.resource_id import ResourceId

MOST = 10_000
"""Parts that a scope may be divided into; more than that is a slip of the keyboard."""
OPTION = "--shard"
_TEXT = re.compile(r"(?P<number>\d{1,6})/(?P<count>\d{1,6})", re.ASCII)


class ShardError(ValueError):
    """A text that names no shard; the message says why and is no whole sentence."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, counted from 1.

    A subscription belongs to the shard `1 + (first 8 bytes of SHA-256 of its id in lower case, as a number) mod count`.
    So each belongs to exactly one shard of a count, on every computer and in every run, whatever else there is.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that `I/N` names.

        Raises:
            ShardError: it is not of that form, or I is not between 1 and N.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            msg = f"{text!r} is not of the form I/N"
            raise ShardError(msg)
        number, count = int(match["number"]), int(match["count"])
        if not 1 <= count <= MOST:
            msg = f"{text!r} asks for {count:,} shards; there are 1 to {MOST:,}"
            raise ShardError(msg)
        if not 1 <= number <= count:
            msg = f"{text!r}: the shards of {count:,} are numbered from 1 to {count:,}"
            raise ShardError(msg)
        return cls(number, count)

    @classmethod
    def of_scope(cls, texts: Iterable[str]) -> "Shard | None":
        """The shard that a plan's scope was narrowed to; None: it was not, or not in a way that is known here.

        Args:
            texts: a scope as its options, one text each: `--shard 2/8`.
        """
        found = next((text for text in texts if text.startswith(f"{OPTION} ")), None)
        try:
            return None if found is None else cls.parse(found.removeprefix(OPTION))
        except ShardError:
            return None

    def takes(self, identifier: str) -> bool:
        """Whether a subscription belongs to this shard.

        Args:
            identifier: its id in any case; or the name of something that stands above subscriptions, of which exactly
                one shard is to speak.
        """
        digest = hashlib.sha256(identifier.lower().encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True)
class LoggedError:
    """An error as the text words it."""

    code: str
    """Azure's code, such as `UnsupportedResourceOperation`; empty where only a sentence stands there."""
    sentence: str = ""
    """Azure's sentence, as far as it was recognized; empty where only a code stands there."""
    is_prerequisite: bool = False
    """Whether it is the one that patchmode cures."""


@dataclass(frozen=True, slots=True)
class LoggedMachine:
    """A machine that the text names by its id."""

    id: ResourceId
    error: LoggedError | None = None
    """The error nearest to it; None: none stands there."""
    or_else: ResourceId | None = None
    """The machine that is meant instead if a line break fell into the middle of its name, which the text alone cannot
    tell; None: there is no doubt."""
    has_succeeded: bool = False
    """Whether the text reports a success of this machine and no error."""


@dataclass(frozen=True, slots=True)
class MachineName:
    """A machine as a text names it without its id. Compared as written; whoever looks it up ignores case."""

    name: str
    resource_group: str = ""
    """Empty: the text does not say."""
    subscription: str = ""
    """Id or display name; empty: the text does not say."""

    def __str__(self) -> str:
        return f"{self.resource_group}/{self.name}" if self.resource_group else self.name


@dataclass(frozen=True, slots=True)
class LoggedName:
    """A machine that the text names without its id."""

    machine: MachineName
    error: LoggedError | None = None
    """As of `LoggedMachine`."""
    has_succeeded: bool = False


@dataclass(frozen=True, slots=True)
class LogReading:
    """Every machine that a text names, in the order of first mention."""

    machines: tuple[LoggedMachine, ...] = ()
    """Each machine once, whatever the casing of its id."""
    names: tuple[LoggedName, ...] = ()
    """Machines whose id is not in the text."""
    deployments: tuple[str, ...] = ()
    """Ids of ARM deployments that the text names, each once: their operations name the machines that it does not."""
    schedules: tuple[ResourceId, ...] = ()
    """Maintenance configurations that the text names, each once."""
    not_understood: tuple[str, ...] = ()
    """Of a list or a table: what its entries are that name no machine, such as `line 3: 'x y'`."""
    is_prerequisite: bool = False
    """Whether the prerequisite's error is anywhere in the text, with a machine or without."""
    is_list: bool = False
    """Whether the text is a list or a table of machines and nothing else."""
    cut_short: tuple[str, ...] = ()
    """What is left of the names in ids that a table cut (`web-…`): they cannot be taken."""
    source: str = ""
    """The file's name, or `-`."""
    option: str = "--from-log"
    """The option that was given the file."""

    @property
    def names_nothing(self) -> bool:
        """Whether the text names no machine at all."""
        return not self.machines and not self.names

    @property
    def has_doubt(self) -> bool:
        """Whether Azure must be asked which machines are meant."""
        return bool(self.names or (self.deployments and not self.machines))

    @property
    def entries(self) -> tuple[LoggedMachine | LoggedName, ...]:
        """Every machine, those with an id first."""
        return (*self.machines, *self.names)

    @property
    def prerequisite(self) -> tuple[ResourceId, ...]:
        """The machines that stand with the prerequisite error."""
        return tuple(entry.id for entry in self.machines if entry.error and entry.error.is_prerequisite)


_AGO = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[mhdw])", re.IGNORECASE)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_NAMES = {"m": "minute", "h": "hour", "d": "day", "w": "week"}


class SinceError(ValueError):
    """The text names no point in the past; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Since:
    """A point in the past, either so long ago or a date. Exactly one of `ago` and `at` is set."""

    text: str
    """As it was written, for plans, reports and suggested commands."""
    ago: timedelta | None = None
    at: datetime | None = None
    """UTC, aware."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a number with a unit (`90m`, `36h`, `7d`, `2w`), a date, or an ISO 8601 time; without a zone it is UTC.

        Raises:
            SinceError: the text has none of these forms, or the span is nothing.
        """
        stripped = text.strip()
        match = _AGO.fullmatch(stripped)
        if match is not None and int(match["count"]):
            return cls(stripped, ago=int(match["count"]) * _UNITS[match["unit"].lower()])
        try:
            at = datetime.fromisoformat(stripped)
        except ValueError:
            msg = f"{text!r} is not a point in the past: expected 7d, 36h, 2w, 2026-11-01 or 2026-11-01T06:00Z"
            raise SinceError(msg) from None
        return cls(stripped, at=at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))

    def moment(self, now: datetime) -> datetime:
        """The moment itself, UTC.

        Args:
            now: aware; only what was written as so long ago depends on it.
        """
        if self.at is not None:
            return self.at
        assert self.ago is not None  # noqa: S101 - `parse` sets one of the two
        return now.astimezone(UTC) - self.ago

    @property
    def words(self) -> str:
        """As a sentence has it: `in the last 7 days`, `since 2026-11-01`."""
        if self.ago is None:
            return f"since {self.text}"
        number, unit = int(self.text[:-1]), _NAMES[self.text[-1].lower()]
        return f"in the last {number:,} {unit}s" if number > 1 else f"in the last {unit}"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Filters:
    """Narrowing conditions; an empty one does not narrow. Within one member any value matches (united)."""

    os: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    tags: tuple[tuple[str, str | None], ...] = ()
    """(key, value); value None: the key is there. Keys ignore case, as Azure's do; values do not."""
    names: tuple[str, ...] = ()
    """Shell patterns (`web-*`), without regard to case."""
    power: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdFile:
    """The resource ids of one file, or of one run; they are in `Scope.ids` too."""

    source: str
    """The file's name, or `-`."""
    ids: tuple[str, ...]
    """As written there."""
    option: str = "--ids-file"
    """What named it: `--from-run` names the machines of a run, which are as many as those of a file."""

    def __str__(self) -> str:
        count = len({one.casefold() for one in self.ids})
        return f"{self.source} ({count:,} {'machine' if count == 1 else 'machines'})"


@dataclass(frozen=True, slots=True)
class Scope:
    """The machines a command speaks of."""

    subscriptions: tuple[str, ...] = ()
    """Ids or display names."""
    management_groups: tuple[str, ...] = ()
    resource_groups: tuple[str, ...] = ()
    """Names, or full ids; a name counts in every selected subscription, or in all readable ones."""
    ids: tuple[str, ...] = ()
    """Those that were typed and those of files."""
    id_files: tuple[IdFile, ...] = ()
    """Where ids come from that were not typed: a scope is described by the file, not by a page of ids."""
    graph_queries: tuple[str, ...] = ()
    """Resource Graph KQL as the user wrote it; each must project `id`."""
    schedules: tuple[str, ...] = ()
    """Maintenance configurations, by id or by a name that only one has: every machine that they reach."""
    failed_since: Since | None = None
    """Machines whose last scheduled run since then failed on the prerequisite."""
    logs: tuple[LogReading, ...] = ()
    """Machines that pasted text names."""
    everything: bool = False
    """`--all`, and audit without a selector."""
    include: Filters = field(default_factory=Filters)
    exclude: Filters = field(default_factory=Filters)
    shard: Shard | None = None
    """Only what stands in this shard's subscriptions; the rest is another process's, and no part of this scope."""

    @property
    def has_selector(self) -> bool:
        """Whether the user pointed at anything at all; filters alone do not count."""
        return bool(
            self.subscriptions
            or self.management_groups
            or self.resource_groups
            or self.ids
            or self.graph_queries
            or self.schedules
            or self.failed_since
            or self.logs
            or self.everything
        )

    @property
    def leads_anywhere(self) -> bool:
        """Whether a selector may take machines of any subscription: what it takes shows only when it is looked up."""
        return bool(
            self.graph_queries or self.schedules or self.failed_since or any(reading.has_doubt for reading in self.logs)
        )

    @property
    def has_filter(self) -> bool:
        """Whether any filter narrows."""
        return self.include != Filters() or self.exclude != Filters()

    def takes(self, subscription_id: str) -> bool:
        """Whether machines of a subscription are not another shard's; its id in any case."""
        return self.shard is None or self.shard.takes(subscription_id)

    @property
    def without_schedules(self) -> "Scope":
        """The same scope without the machines of its schedules."""
        return replace(self, schedules=())

    def describe(self) -> tuple[str, ...]:
        """The selectors and filters as options, one text each, for plans and reports."""
        texts = [f"--subscription {value}" for value in self.subscriptions]
        texts += [f"--management-group {value}" for value in self.management_groups]
        texts += [f"--resource-group {value}" for value in self.resource_groups]
        of_files = {one for file in self.id_files for one in file.ids}
        texts += [f"--ids {value}" for value in self.ids if value not in of_files]
        texts += [f"{file.option} {file}" for file in self.id_files]
        texts += [f"--graph-query {value}" for value in self.graph_queries]
        texts += [f"--schedule {value}" for value in self.schedules]
        texts += [f"--failed-since {self.failed_since}"] if self.failed_since else []
        texts += [f"{reading.option} {reading.source or '-'}" for reading in self.logs]
        texts += ["--all"] if self.everything else []
        shard = [f"{OPTION} {self.shard}"] if self.shard else []
        return (*texts, *_describe(self.include, "--"), *_describe(self.exclude, "--exclude-"), *shard)


_SELECTORS = (
    "--subscription ",
    "--management-group ",
    "--resource-group ",
    "--ids ",
    "--ids-file ",
    "--from-run ",
    "--graph-query ",
    "--schedule ",
    "--failed-since ",
    "--from-log ",
    "--all",
)


def scope_text(texts: Sequence[str]) -> str:
    """A scope for people: its options, and that selectors of several kinds add to each other and do not narrow.

    With az a group beside a subscription narrows; here it does not.

    Args:
        texts: as `Scope.describe` gives them, selectors first.
    """
    selectors = [text for text in texts if text.startswith(_SELECTORS)]
    if len({text.partition(" ")[0] for text in selectors}) < 2:
        return "  ".join(texts)
    filters = [text for text in texts if text not in selectors]
    return "  ".join((*selectors[:-1], f"{selectors[-1]} (united: all machines of each)", *filters))


def _describe(filters: Filters, prefix: str) -> list[str]:
    texts = [f"{prefix}os {value}" for value in filters.os]
    texts += [f"{prefix}location {value}" for value in filters.locations]
    texts += [f"{prefix}tag {key}" if value is None else f"{prefix}tag {key}={value}" for key, value in filters.tags]
    texts += [f"{prefix}name {value}" for value in filters.names]
    return texts + [f"{prefix}power {value}" for value in filters.power]
