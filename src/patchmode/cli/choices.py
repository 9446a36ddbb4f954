"""Options with fixed values: spelled as Azure spells them, taken in any case and spelling, with a hint for a slip.

Must not: take one value for another; only case, blanks and hyphens are nothing, and known names of the same value.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

_NOTHING = re.compile(r"[^a-z0-9]+")


class Fixed(click.Choice[str]):
    """A choice that help and messages show as it is written, and that is taken in any case.

    Args:
        choices: the values, as Azure or this program writes them.
        also: other names → the value that they are; taken without a word.
    """

    def __init__(self, choices: Iterable[str], *, also: Mapping[str, str] | None = None) -> None:
        super().__init__(choices, case_sensitive=False)
        self._known = {_plain(choice): choice for choice in self.choices}
        self._known |= {_plain(name): choice for name, choice in (also or {}).items()}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value as it is written."""
        known = self._known.get(_plain(str(value)))
        return known if known is not None else super().convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The values as they are written, where click shows them in lower case."""
        del param, ctx
        return f"[{'|'.join(self.choices)}]"

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What may be given, and what was perhaps meant."""
        del ctx
        names = ", ".join(self.choices)
        told = f"{value!r} is not one of {names}." if len(self.choices) > 1 else f"{value!r} is not {names}."
        near = nearest(str(value), self._known)
        return f"{told} Did you mean {near}?" if near else told


def nearest(text: str, known: Mapping[str, str] | Iterable[str]) -> str | None:
    """The value that was perhaps meant; None: none is near.

    Args:
        text: as it was given.
        known: the values, or their names without case, blanks and hyphens → the value.
    """
    import difflib  # Only where somebody slipped.

    names = known if isinstance(known, Mapping) else {_plain(one): one for one in known}
    given = _plain(text)
    begun = [name for name in names if given and name.startswith(given)]
    near = begun or difflib.get_close_matches(given, names, n=1)
    return names[near[0]] if near else None


def _plain(text: str) -> str:
    return _NOTHING.sub("", text.casefold())
