"""Values of options: fixed ones, spelled as Azure spells them and taken in any case; and names of what is looked up.

Must not: take one value for another; only case, blanks and hyphens are nothing, and known names of the same value.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from patchmode.model.nearest import nearest, plain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Fixed(click.Choice[str]):
    """A choice that help and messages show as it is written, and that is taken in any case.

    Args:
        choices: the values, as Azure or this program writes them.
        also: other names → the value that they are; taken without a word.
        refused: names that people may have met and that are no value → why.
    """

    def __init__(
        self,
        choices: Iterable[str],
        *,
        also: Mapping[str, str] | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(choices, case_sensitive=False)
        self._known = {plain(choice): choice for choice in self.choices}
        self._known |= {plain(name): choice for name, choice in (also or {}).items()}
        self._refused = {plain(name): why for name, why in (refused or {}).items()}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value as it is written."""
        known = self._known.get(plain(str(value)))
        if known is None and (why := self._refused.get(plain(str(value)))):
            self.fail(f"{value!r} is not one of {', '.join(self.choices)}: {why}.", param, ctx)
        return known if known is not None else super().convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The values as they are written, where click shows them in lower case."""
        del param, ctx
        return f"[{'|'.join(self.choices)}]"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """What may be given, in a sentence."""
        del param, ctx
        return f"Give one of {', '.join(self.choices)}."

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What may be given, and what was perhaps meant."""
        del ctx
        names = ", ".join(self.choices)
        told = f"{value!r} is not one of {names}." if len(self.choices) > 1 else f"{value!r} is not {names}."
        near = nearest(str(value), self._known)
        return f"{told} Did you mean {near}?" if near else told

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """The values that begin so, as they are written, where click completes them in lower case."""
        del ctx, param
        return _begun(self.choices, incomplete)


def _begun(words: Iterable[str], incomplete: str) -> "list[CompletionItem[str]]":
    from click.shell_completion import CompletionItem

    begun = incomplete.casefold()
    return [CompletionItem(word) for word in words if word.casefold().startswith(begun)]


class Words(click.types.StringParamType):
    """A free text of which some values are known; the shell completes those."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """Those that begin so."""
        del ctx, param
        return _begun(self._words, incomplete)


class Place(click.types.StringParamType):
    """The path of a file or a folder, which its command reads or makes; the shell completes paths.

    Args:
        kind: `file`, or `dir` for folders alone.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """The shell's own completion of paths."""
        del ctx, param
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=self._kind)]


class RunEnds(click.types.StringParamType):
    """A run, perhaps with ends of its machines; the shell completes the run."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """The runs that begin so."""
        del param
        from patchmode.cli.completing import names_of

        return names_of("run", ctx, incomplete)


class Named(click.ParamType[str]):
    """A text that names something that is there: who takes it looks it up, and says what was perhaps meant.

    Args:
        kind: what it names, such as `subscription`; the shell completes names of that kind.
    """

    def __init__(self, kind: str) -> None:
        self.name = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is."""
        del param, ctx
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """The names of its kind that begin so."""
        del param
        from patchmode.cli.completing import names_of

        return names_of(self.name, ctx, incomplete)


class PlanFile(click.Path):
    """A plan file; the shell completes those of the folder."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """The plan files that begin so."""
        del ctx, param
        from patchmode.cli.completing import plan_files

        return plan_files(incomplete)


SUBSCRIPTION, GROUP, SCHEDULE = Named("subscription"), Named("resource group"), Named("schedule")
FILE, FOLDER, RUN_ENDS = Place("file"), Place("dir"), RunEnds()
CLOUDS = Words("AzureCloud", "AzureUSGovernment", "AzureChinaCloud")
RUN, RUN_OR_FILE, MACHINE = Named("run"), Named("run or file"), Named("machine")
