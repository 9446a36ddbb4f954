"""What the user pointed at: selectors united, filters each narrowing.

Must not: resolve anything; the inventory does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from patchmode.model.pasted_log import LogReading
from patchmode.model.shard import OPTION, Shard
from patchmode.model.since import Since


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
class Scope:
    """The machines a command speaks of."""

    subscriptions: tuple[str, ...] = ()
    """Ids or display names."""
    management_groups: tuple[str, ...] = ()
    resource_groups: tuple[str, ...] = ()
    """Names, or full ids; a name counts in every selected subscription, or in all readable ones."""
    ids: tuple[str, ...] = ()
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
            self.graph_queries
            or self.schedules
            or self.failed_since
            or any(reading.names_only for reading in self.logs)
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
        texts += [f"--ids {value}" for value in self.ids]
        texts += [f"--graph-query {value}" for value in self.graph_queries]
        texts += [f"--schedule {value}" for value in self.schedules]
        texts += [f"--failed-since {self.failed_since}"] if self.failed_since else []
        texts += [f"--from-log {reading.source or '-'}" for reading in self.logs]
        texts += ["--all"] if self.everything else []
        shard = [f"{OPTION} {self.shard}"] if self.shard else []
        return (*texts, *_describe(self.include, "--"), *_describe(self.exclude, "--exclude-"), *shard)


_SELECTORS = (
    "--subscription ",
    "--management-group ",
    "--resource-group ",
    "--ids ",
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
