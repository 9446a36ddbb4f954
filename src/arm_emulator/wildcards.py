"""Patterns in which `*` stands for any text."""

import re


def wildcard(pattern: str, flags: int = re.DOTALL) -> re.Pattern[str]:
    """An expression for a whole text, which takes time in proportion to it however many stars there are.

    What lies between two stars is looked for once: the earliest place is as good as any later one.
    """
    first, *others = map(re.escape, pattern.split("*"))
    if not others:
        return re.compile(first, flags)
    *between, last = others
    return re.compile(first + "".join(f"(?>.*?{part})" for part in between if part) + f".*{last}", flags)
