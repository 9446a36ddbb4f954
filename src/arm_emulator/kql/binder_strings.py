"""Binds the string operators: contains, startswith, endswith, has and their kin, `matches regex`, `=~`.

Constants are prepared once. Must not bind anything else.
"""

from collections.abc import Callable

from arm_emulator.kql.code import Bound, Namespace
from arm_emulator.kql.conversions import composed, to_text
from arm_emulator.kql.lexer import Token
from arm_emulator.kql.regexes import BadPatternError, compile_pattern, term_pattern
from arm_emulator.kql.types import Type
from arm_emulator.kql.values import Value


def has(value: str, text: str) -> bool:
    """Tell whether `text` stands in `value` as whole terms, in any case."""
    return term_pattern(text, prefix=True, suffix=True, case=False).search(value) is not None


def has_cs(value: str, text: str) -> bool:
    """Tell whether `text` stands in `value` as whole terms."""
    return term_pattern(text, prefix=True, suffix=True, case=True).search(value) is not None


def hasprefix(value: str, text: str) -> bool:
    """Tell whether a term of `value` starts with `text`, in any case."""
    return term_pattern(text, prefix=True, suffix=False, case=False).search(value) is not None


def hasprefix_cs(value: str, text: str) -> bool:
    """Tell whether a term of `value` starts with `text`."""
    return term_pattern(text, prefix=True, suffix=False, case=True).search(value) is not None


def hassuffix(value: str, text: str) -> bool:
    """Tell whether a term of `value` ends with `text`, in any case."""
    return term_pattern(text, prefix=False, suffix=True, case=False).search(value) is not None


def hassuffix_cs(value: str, text: str) -> bool:
    """Tell whether a term of `value` ends with `text`."""
    return term_pattern(text, prefix=False, suffix=True, case=True).search(value) is not None


_TERMS: dict[str, Callable[[str, str], bool]] = {
    "has": has, "has_cs": has_cs, "hasprefix": hasprefix, "hasprefix_cs": hasprefix_cs, "hassuffix": hassuffix,
    "hassuffix_cs": hassuffix_cs,
}  # fmt: skip
_TERM_OPTIONS = {"has": (True, True), "hasprefix": (True, False), "hassuffix": (False, True)}


def string_operation(space: Namespace, operator: str, left: Bound, right: Bound, at: Token) -> Bound:
    """Bind `left operator right`; both sides are strings already or dynamics that are read as strings."""
    left, right = to_text(space, left), to_text(space, right)
    word = operator.removeprefix("!")
    text = _positive(space, word, left, right)
    if operator.startswith("!"):
        text = f"(not {text})"
    bound = composed(space, Type.BOOL, text, (left, right), nullable=False)
    return Bound(
        Type.BOOL, bound.text, at, bound.slots, nullable=False, constant=bound.constant, late=bound.late
    )  # fmt: skip


def _positive(space: Namespace, word: str, left: Bound, right: Bound) -> str:
    if word in {"=~", "~"}:
        return f"({left.text}.lower() == {_lowered(space, right)})"
    base = word.removesuffix("_cs")
    if base in {"contains", "startswith", "endswith"}:
        subject, wanted = (left.text, right.text) if word != base else (f"{left.text}.lower()", _lowered(space, right))
        return f"({wanted} in {subject})" if base == "contains" else f"{subject}.{base}({wanted})"
    if isinstance(right.constant, str):
        prefix, suffix = _TERM_OPTIONS[base]
        pattern = term_pattern(right.constant, prefix=prefix, suffix=suffix, case=word != base)
        return f"({space.function(pattern.search)}({left.text}) is not None)"
    return f"{space.function(_TERMS[word])}({left.text}, {right.text})"


def _lowered(space: Namespace, bound: Bound) -> str:
    if isinstance(bound.constant, str):
        return space.constant(bound.constant.lower())
    return f"{bound.text}.lower()"


def matches(value: str, pattern: str) -> bool:
    """Tell `value matches regex pattern` for a pattern that a row brings; one that is not valid matches nothing."""
    try:
        return compile_pattern(pattern).search(value) is not None
    except BadPatternError:
        return False


def regex_operation(space: Namespace, left: Bound, right: Bound, pattern: str) -> Bound:
    """Bind `left matches regex pattern`; raises `BadPatternError` for a pattern that RE2 does not take."""
    subject = to_text(space, left)
    search = space.function(compile_pattern(pattern).search)
    return composed(space, Type.BOOL, f"({search}({subject.text}) is not None)", (subject, right), nullable=False)


def any_term(value: str, texts: Value) -> bool:
    """Tell `value has_any (texts)`."""
    return any(has(value, text) for text in texts)


def every_term(value: str, texts: Value) -> bool:
    """Tell `value has_all (texts)`."""
    return all(has(value, text) for text in texts)
