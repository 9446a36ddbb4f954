r"""Kusto's regular expressions (RE2) on Python's engine.

What RE2 does not know (look-around, back references, possessive quantifiers) is refused, and what both know but read
differently is rewritten: `$` is the very end of the text, `\\z` likewise, and the classes are ASCII.
"""

import re
import warnings
from functools import lru_cache

_GROUP = re.compile(r"\(\?(?:P?<[A-Za-z_]\w*>|[imsU]*(?:-[imsU]+)?[:)])")
_UNKNOWN_ESCAPES = frozenset("pPXCGkZ123456789")


class BadPatternError(Exception):
    """A pattern that RE2 does not take, or that cannot be carried out faithfully here."""


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, flags: str = "") -> re.Pattern[str]:
    """Return the compiled pattern; raise `BadPatternError` where RE2 would refuse it or Python reads it otherwise."""
    options = re.ASCII
    for flag in flags:
        if flag not in "imsU" or flag == "U":
            raise BadPatternError(f"the flag {flag!r} is not supported")
        options |= {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}[flag]
    try:
        with warnings.catch_warnings():
            # Python warns of what it may read as a set operation one day; RE2 and it agree on what it is today.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(_translate(pattern), options)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPatternError(str(error)) from error


def _translate(pattern: str) -> str:
    out: list[str] = []
    at, in_class = 0, False
    multiline = "(?m" in pattern or "(?sm" in pattern or "(?im" in pattern
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            out.append(_escape(pattern, at))
            at += 2
            continue
        if in_class:
            in_class = not (char == "]" and pattern[at - 1 : at] != "[" and pattern[at - 2 : at] != "[^")
        elif char == "[":
            in_class = True
        elif char == "(":
            _check_group(pattern, at)
            name = re.compile(r"\(\?<([A-Za-z_]\w*)>").match(pattern, at)
            if name:
                out.append(f"(?P<{name[1]}>")
                at = name.end()
                continue
        elif char == "$" and not multiline:
            char = r"\Z"
        elif char in "*+?}" and pattern[at + 1 : at + 2] == "+":
            raise BadPatternError("possessive quantifiers are not known")
        out.append(char)
        at += 1
    return "".join(out)


def _escape(pattern: str, at: int) -> str:
    follower = pattern[at + 1 : at + 2]
    if not follower or follower in _UNKNOWN_ESCAPES:
        raise BadPatternError(f"the escape \\{follower} is not supported")
    return r"\Z" if follower == "z" else "\\" + follower


def _check_group(pattern: str, at: int) -> None:
    if pattern.startswith("(?", at):
        match = _GROUP.match(pattern, at)
        if match is None or "U" in match.group().split("<")[0]:
            raise BadPatternError("this kind of group is not known")
        if match.group().endswith(")") and at != 0:
            raise BadPatternError("flags are supported at the start only")


@lru_cache(maxsize=2048)
def term_pattern(text: str, *, prefix: bool, suffix: bool, case: bool) -> re.Pattern[str]:
    """Return the pattern by which `has`, `hasprefix` and `hassuffix` look for `text`.

    A term is a run of letters and digits; the text must not begin or end in the middle of one.
    """
    before = r"(?<![^\W_])" if prefix and text[:1].isalnum() else ""
    after = r"(?![^\W_])" if suffix and text[-1:].isalnum() else ""
    return re.compile(before + re.escape(text) + after, 0 if case else re.IGNORECASE)


def has_term(value: str, text: str) -> bool:
    """Tell `value has text`."""
    return term_pattern(text, prefix=True, suffix=True, case=False).search(value) is not None
