"""The global options of one invocation, whether they stood before or after the command.

Must not: hold anything that belongs to one command.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import click
from click.core import ParameterSource

EXCEL_CSV = "csv-excel"
"""CSV that begins with the mark by which Excel knows UTF-8."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options. None means "not given"."""

    cloud: str | None = None
    """A cloud's name or the https URL of a Resource Manager; None: `AzureCloud`."""
    identity_file: str | None = None
    """Of the service principals that share the work; None: whoever the environment signs in."""
    tenant: str | None = None
    """To sign in to: its id, or without an identity file also a domain; None: the credential's own."""
    share: str | None = None
    """The part of each of Azure's limits to use at most, as `50%`; None: all of it."""
    output: str | None = None
    """One of `options.FORMATS`; None: json when `--query` is given, table otherwise."""
    query: str | None = None
    """JMESPath over the JSON result."""
    no_color: bool = False
    no_progress: bool = False
    verbose: int = 0
    log_format: str | None = None
    """One of `logs.LOG_FORMATS`, of all that goes to standard error; None: text."""
    debug: bool = False
    """Log whole requests and answers besides."""
    quiet: bool = False
    state_dir: str | None = None
    patience: str | None = None
    """How long a request waits when Azure asks to retry later, as `15m`; None: as usual. Runs have their own."""
    typed: frozenset[str] = frozenset()
    """The names of those that stood on the command line; the others come from the environment, or are not given."""
    args: tuple[str, ...] = ()
    """The whole command line without the program's name, so that it can be told once more; empty: it is not known."""

    def again(self, *more: str, instead_of: str = "", by: str = "") -> tuple[str, ...] | None:
        """The words of this command line once more.

        Args:
            more: words behind it.
            instead_of: the command's first word, which `by` replaces; empty: none is replaced.
            by: see there.

        Returns:
            None: it is not known, or it reads standard input, which nobody types twice.
        """
        if not self.args or "-" in self.args:
            return None
        words = [word for word in self.args if word != "--no-progress"]
        if instead_of in words:
            words[words.index(instead_of)] = by
        return (*words, *more)

    @property
    def format(self) -> str:
        """The output format in force."""
        return self.output or ("json" if self.query else "table")

    @property
    def is_flat(self) -> bool:
        """Whether a result is rows of plain values."""
        return self.format in {"csv", "tsv", EXCEL_CSV}

    @property
    def share_of_limits(self) -> float:
        """The share as a part of 1.

        Raises:
            UsageError: it is not a percentage, or not above 0 and up to 100.
        """
        from patchmode.rules.guardrails.limits import share_from

        return share_from(self.share)

    @property
    def throttle_patience_s(self) -> float | None:
        """The patience in seconds; None: as long as usual.

        Raises:
            UsageError: it is not a duration.
        """
        from patchmode.rules.guardrails.limits import seconds_from

        return None if self.patience is None else seconds_from(self.patience, "--throttle-patience")


NAMES = tuple(field.name for field in fields(Settings) if field.name not in {"typed", "args"})


def settings_of(context: click.Context) -> Settings:
    """The settings as far as they have been read."""
    return context.find_object(Settings) or Settings()


def state_folder(settings: Settings) -> Path:
    """Where run journals and plans of `apply` live."""
    if settings.state_dir:
        return Path(settings.state_dir).expanduser()
    import platformdirs

    return platformdirs.user_state_path("patchmode", appauthor=False)


def absorb(context: click.Context) -> None:
    """Move the global options out of a context's parameters into the settings that the whole invocation shares.

    What stands on the command line wins over the environment, and after the command over before it.
    """
    known = settings_of(context)
    taken: dict[str, object] = {}
    by_hand = set(known.typed)
    for name in NAMES:
        value = context.params.pop(name, None)
        typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if value and (typed or not getattr(known, name)):
            taken[name] = value
            by_hand = by_hand | {name} if typed else by_hand - {name}
    context.obj = replace(known, **taken, typed=frozenset(by_hand))  # type: ignore[arg-type]  # click made each of its type
